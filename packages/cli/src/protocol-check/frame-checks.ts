/** Section 1 and RFC 6455: invalid frames and invalid messages. */
import { Deviation } from './bench.ts';
import { type Check, expectRefusals, named } from './check.ts';
import { type Frame, frameOf, OPCODE } from './raw-socket.ts';

const MAX_MESSAGE = 65_536;
const BROKEN_FRAMES: readonly (readonly [what: string, frame: Frame])[] = [
  ['a frame without a mask', { opcode: OPCODE.text, payload: '{}', isMasked: false }],
  ['a reserved bit', { opcode: OPCODE.text, payload: '{}', reserved: 4 }],
  ['an unknown opcode', { opcode: 3, payload: '{}' }],
  ['a ping of 126 octets', { opcode: OPCODE.ping, payload: 'x'.repeat(126) }],
  ['a ping in fragments', { opcode: OPCODE.ping, payload: 'x', isFinal: false }],
  ['a continuation without a first frame', { opcode: OPCODE.continuation, payload: '{}' }],
];

export const FRAME_CHECKS: readonly Check[] = [
  {
    id: 'frame-not-json',
    section: '1',
    requires:
      'Text that is not one JSON object gets bad-message, and the third bad message within 60 s closes with 4400.',
    run: (bench) =>
      expectRefusals(
        bench,
        ['{', '', 'null', '[]', '"x"', '5'].map((message) => ({
          what: JSON.stringify(message),
          message,
          codes: ['bad-message'],
        })),
      ),
  },
  {
    id: 'frame-binary',
    section: '1',
    requires: 'A binary message closes with 1003.',
    async run(bench) {
      const peer = await bench.connect();
      peer.socket.send({ opcode: OPCODE.binary, payload: '{"type":"leave"}' });
      return `closed with ${await peer.expectClose(1003)}`;
    },
  },
  {
    id: 'frame-bad-utf8',
    section: '1',
    requires: 'Text that is not UTF-8 closes with 1007.',
    async run(bench) {
      const peer = await bench.connect();
      peer.socket.send({ opcode: OPCODE.text, payload: Buffer.from([0x22, 0xc3, 0x28, 0x22]) });
      return `closed with ${await peer.expectClose(1007)}`;
    },
  },
  {
    id: 'frame-too-big',
    section: '1',
    requires: 'A message above 65,536 bytes closes with 1009.',
    async run(bench) {
      const peer = await bench.connect();
      peer.send(' '.repeat(MAX_MESSAGE + 1));
      return `closed with ${await peer.expectClose(1009)}`;
    },
  },
  {
    id: 'frame-largest',
    section: '1',
    requires: 'A message of 65,536 bytes is accepted.',
    async run(bench) {
      const peer = await bench.connect();
      const node = await bench.node('a');
      const text = JSON.stringify({ type: 'register', node });
      peer.node = node;
      peer.send(text + ' '.repeat(MAX_MESSAGE - Buffer.byteLength(text)));
      await peer.expect('registered');
      return 'registered';
    },
  },
  {
    id: 'frame-fragments',
    section: '1',
    requires: 'A message may be sent in fragments, with a ping between them.',
    async run(bench) {
      const peer = await bench.connect();
      const node = await bench.node('a');
      const text = JSON.stringify({ type: 'register', node });
      peer.node = node;
      peer.socket.send({ opcode: OPCODE.text, payload: text.slice(0, 10), isFinal: false });
      peer.socket.send({ opcode: OPCODE.ping, payload: 'between' });
      peer.socket.send({ opcode: OPCODE.continuation, payload: text.slice(10, 20), isFinal: false });
      peer.socket.send({ opcode: OPCODE.continuation, payload: text.slice(20) });
      await peer.expectPong('between');
      await peer.expect('registered');
      return 'registered';
    },
  },
  {
    id: 'frame-many-fragments',
    section: '1.2',
    requires: 'A message in 16,384 fragments closes with 1008 or 1009.',
    async run(bench) {
      const peer = await bench.connect();
      const first = frameOf({ opcode: OPCODE.text, payload: '{', isFinal: false });
      const more = frameOf({ opcode: OPCODE.continuation, payload: ' ', isFinal: false });
      peer.socket.write(Buffer.concat([first, ...Array<Buffer>(16_383).fill(more)]));
      return `closed with ${await peer.expectClose(1008, 1009)}`;
    },
  },
  {
    id: 'frame-broken',
    section: '9.1',
    requires: 'Frames that RFC 6455 does not allow close with 1002.',
    async run(bench) {
      for (const [what, frame] of BROKEN_FRAMES) {
        const peer = await bench.connect();
        peer.socket.send(frame);
        await named(what, peer.expectClose(1002));
      }
      return `${BROKEN_FRAMES.length} closed with 1002`;
    },
  },
  {
    id: 'frame-ping',
    section: '1',
    requires: 'A ping is answered by a pong with its payload.',
    async run(bench) {
      const peer = await bench.connect();
      peer.socket.send({ opcode: OPCODE.ping, payload: 'protocol-check' });
      await peer.expectPong('protocol-check');
      return 'a pong';
    },
  },
  {
    id: 'message-unknown-type',
    section: '12',
    requires: 'A message of an unknown type gets unknown-message, and the connection stays.',
    async run(bench) {
      const peer = await bench.connect();
      peer.send({ type: 'no-such-message' });
      await peer.expectError('unknown-message');
      await peer.register(await bench.node('a'));
      return 'unknown-message, then registered';
    },
  },
  {
    id: 'message-no-type',
    section: '1',
    requires: 'A message without a type gets missing-field or bad-message.',
    run: (bench) =>
      expectRefusals(bench, [
        { what: 'no type', message: {}, codes: ['missing-field', 'bad-message'] },
        { what: 'a number as type', message: { type: 5 }, codes: ['missing-field', 'bad-field', 'bad-message'] },
      ]),
  },
  {
    id: 'message-deep-nesting',
    section: '1',
    requires: 'A field nested 10,000 deep is ignored or refused, and the coordinator continues.',
    async run(bench) {
      const peer = await bench.connect();
      peer.send(`{"type":"no-such-message","deep":${'['.repeat(10_000)}${']'.repeat(10_000)}}`);
      await peer.expectError('unknown-message', 'bad-message');
      await peer.register(await bench.node('a'));
      return 'refused, then registered';
    },
  },
  {
    id: 'message-equal-keys',
    section: '1',
    requires: 'Of two equal keys in one object the last one counts.',
    async run(bench) {
      const peer = await bench.connect();
      const node = await bench.node('a');
      peer.node = node;
      peer.send(JSON.stringify({ type: 'register', node }).replace('"id":', '"id":"protocol-check-first","id":'));
      const { node: accepted } = await peer.expect('registered');
      const { id } = accepted as { id?: unknown };
      if (id !== node.id) throw new Deviation(`registered as ${String(id)}`);
      return 'the last one';
    },
  },
  {
    id: 'message-prototype-keys',
    section: '1',
    requires: 'The keys __proto__, constructor and prototype are refused with bad-field.',
    async run(bench) {
      const node = await bench.node('a');
      const register = JSON.stringify({ type: 'register', node });
      return expectRefusals(
        bench,
        ['__proto__', 'constructor', 'prototype'].flatMap((key) => [
          { what: `${key} in a message`, message: `{"${key}":{},${register.slice(1)}`, codes: ['bad-field'] },
          {
            what: `${key} in a node`,
            message: register.replace('"node":{', `"node":{"${key}":{"polluted":true},`),
            codes: ['bad-field'],
          },
          {
            what: `${key} in meta`,
            message: register.replace('"node":{', `"node":{"meta":{"${key}":"x"},`),
            codes: ['bad-field', 'bad-name'],
          },
        ]),
      );
    },
  },
];
