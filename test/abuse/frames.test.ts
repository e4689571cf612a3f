/** Rows C1–C11: frames and messages that break the WebSocket protocol or ours. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { until } from '../site/site.ts';
import { frame, OPCODE } from './client.ts';
import { Target } from './target.ts';

let target: Target;

before(async () => {
  target = await Target.start();
});
after(() => target.close());
afterEach(() => target.assertUnharmed());

test('C1: a frame of 1 MiB + 1 closes with 1009 before its payload is sent, and its node is suspect', async () => {
  const node = await target.node('big');
  const agent = await target.raw();
  agent.send(frame(OPCODE.text, JSON.stringify({ type: 'register', node })));
  await until(() => agent.messages.some(({ type }) => type === 'registered'), 'not registered');
  agent.send(frame(OPCODE.text, '', { announced: 1_048_577 }));
  assert.equal(await agent.closeCode(), 1009);
  agent.close();
  await until(async () => (await target.resource('big'))?.liveness !== 'up', 'the node is not suspect');
});

test('C2: a message in 16,384 fragments closes with 1008', async () => {
  for (const octets of ['', '{']) {
    const agent = await target.raw();
    const more = frame(OPCODE.continuation, octets, { isFinal: false });
    agent.send(Buffer.concat([frame(OPCODE.text, '{', { isFinal: false }), ...Array<Buffer>(16_383).fill(more)]));
    assert.equal(await agent.closeCode(), 1008);
    agent.close();
  }
});

test('C3: permessage-deflate is not negotiated, and a compressed frame closes with 1002', async () => {
  const agent = await target.raw({ 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' });
  assert.doesNotMatch(agent.head, /sec-websocket-extensions/i);
  agent.send(frame(OPCODE.text, '{}', { reserved: 4 }));
  assert.equal(await agent.closeCode(), 1002);
  agent.close();
});

test('C4: a binary frame gets binary-frame and closes with 1003', async () => {
  const agent = await target.raw();
  agent.send(frame(OPCODE.binary, '{"type":"heartbeat"}'));
  assert.equal(await agent.closeCode(), 1003);
  assert.deepEqual(
    agent.messages.map(({ code }) => code),
    ['binary-frame'],
  );
  agent.close();
});

test('C5: text that is not UTF-8 closes with 1007', async () => {
  for (const octets of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
    const agent = await target.raw();
    agent.send(frame(OPCODE.text, Buffer.from(octets)));
    assert.equal(await agent.closeCode(), 1007);
    agent.close();
  }
});

const BROKEN: Readonly<Record<string, Buffer>> = {
  'an unmasked frame': frame(OPCODE.text, '{}', { isMasked: false }),
  'reserved bit 1': frame(OPCODE.text, '{}', { reserved: 4 }),
  'reserved bit 3': frame(OPCODE.text, '{}', { reserved: 1 }),
  'opcode 3': frame(3, '{}'),
  'opcode 15': frame(15, ''),
  'a ping of 126 octets': frame(OPCODE.ping, 'x'.repeat(126)),
  'a ping in fragments': frame(OPCODE.ping, 'x', { isFinal: false }),
  'a continuation of nothing': frame(OPCODE.continuation, '{}'),
  'a message within a message': Buffer.concat([frame(OPCODE.text, '{', { isFinal: false }), frame(OPCODE.text, '{}')]),
  'a close of one octet': frame(OPCODE.close, 'x'),
  'a close with code 1005': frame(OPCODE.close, Buffer.from([0x03, 0xed])),
};

test('C6: unmasked frames, reserved bits, unknown opcodes and wrong control frames close with 1002', async () => {
  for (const [what, octets] of Object.entries(BROKEN)) {
    const agent = await target.raw();
    agent.send(octets);
    assert.equal(await agent.closeCode(), 1002, what);
    agent.close();
  }
});

test('C7: text that is no message gets bad-message, the third closes with 4400', async () => {
  for (const [first, second, third] of [
    ['{', '', 'null'],
    ['[]', '"x"', '5'],
    ['\u0000', '{"type":"heartbeat"}{}', '[{"type":"leave"}]'],
  ] as const) {
    const agent = await target.agent();
    for (const text of [first, second]) {
      agent.send(text);
      assert.equal((await agent.next()).code, 'bad-message', text);
      assert.ok(agent.isOpen, text);
    }
    agent.send(third);
    assert.equal((await agent.next()).code, 'bad-message', third);
    assert.equal((await agent.next()).code, 'too-many-errors');
    assert.equal(await agent.closed, 4400);
  }
});

test('C8: nesting of depth 10,000 is refused like any other bad message', async () => {
  const agent = await target.agent();
  const depth = 10_000;
  agent.send('['.repeat(depth) + ']'.repeat(depth));
  assert.equal((await agent.next()).code, 'bad-message');
  agent.send(`{"type":"heartbeat","metrics":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`);
  assert.match(String((await agent.next()).code), /^bad-(message|field)$/);
  assert.ok(agent.isOpen);
  // In a field that is not known it is ignored.
  const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const node = JSON.stringify(await target.node('deep'));
  agent.send(`{"type":"register","node":${node.slice(0, -1)},"unknown":${deep}}}`);
  assert.equal((await agent.next()).type, 'registered');
  agent.close();
});

test('C9: of keys that are given twice the last one counts, for the check of the holder as well', async () => {
  const node = JSON.stringify(await target.node('twice'));
  const agent = await target.agent();
  agent.send(`{"type":"register","node":{"id":"bystander",${node.slice(1)}}`);
  const registered = await agent.next();
  assert.equal((registered['node'] as { id: string }).id, 'twice');
  agent.close();
  const thief = await target.agent();
  thief.send(`{"type":"register","node":${node.slice(0, -1)},"id":"bystander","incarnation":1}}`);
  const answer = await thief.next();
  assert.deepEqual([answer.type, answer.code], ['error', 'superseded']);
  assert.equal(await thief.closed, 4409);
});

test('C10: messages of an unknown type get unknown-message, the third closes with 4400', async () => {
  const agent = await target.agent();
  for (const type of ['hello', 'REGISTER', '__proto__']) {
    agent.send({ type });
    assert.equal((await agent.next()).code, 'unknown-message', type);
  }
  assert.equal((await agent.next()).code, 'too-many-errors');
  assert.equal(await agent.closed, 4400);
});

test('C11: fields that are not known are ignored and not kept', async () => {
  const agent = await target.agent();
  const secret = 'not-kept-anywhere';
  const node = await target.node('extra', { contexts: [{ path: '/', more: secret }], more: { secret } });
  const registered = await agent.register(node);
  assert.doesNotMatch(JSON.stringify(registered), new RegExp(secret));
  agent.send({ type: 'heartbeat', load: 0.5, more: secret });
  await until(async () => (await target.resource('extra'))?.load === 0.5, 'no load');
  assert.doesNotMatch(JSON.stringify(await target.resource('extra')), new RegExp(secret));
  agent.close();
});
