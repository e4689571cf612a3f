/** Each check of the suite against coordinators that break the protocol: every check must be able to fail. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { listening } from '@rollcall/agent/testing';
import { Bench, Deviation } from './bench.ts';
import { frameOf, OPCODE } from './raw-socket.ts';
import { CHECKS } from './suite.ts';

/** What a coordinator of this file does; it breaks the protocol by what it leaves out. */
interface Behaviour {
  /** Status of the answer to an upgrade. Default 101. */
  readonly status?: (request: IncomingMessage) => number;
  /** Fields of the answer to an upgrade, besides those of RFC 6455. Default: the subprotocol. */
  readonly fields?: (request: IncomingMessage) => readonly string[];
  /** Answers a message; `count` is its number on this connection. Default: none. */
  readonly answer?: (message: Message, peer: Peer, count: number) => void;
  /** Called for each new connection. */
  readonly greet?: (peer: Peer) => void;
  /** Whether pings are answered. Default true. */
  readonly pongs?: boolean;
}

interface Message {
  readonly type?: string;
  readonly node?: { readonly [field: string]: unknown };
}

class Peer {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  send(message: object): void {
    this.frame(OPCODE.text, JSON.stringify(message));
  }

  close(code: number): void {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.frame(OPCODE.close, payload);
  }

  frame(opcode: number, payload: string | Buffer): void {
    if (this.#socket.writable) this.#socket.write(frameOf({ opcode, payload, isMasked: false }));
  }
}

/** Starts a coordinator with this behaviour. Resolves with its address. */
async function startBroken(t: TestContext, behaviour: Behaviour): Promise<string> {
  const { status = () => 101, fields = () => ['sec-websocket-protocol: rollcall.v1'], pongs = true } = behaviour;
  const server = createServer();
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const code = status(request);
    if (code !== 101) {
      socket.end(`HTTP/1.1 ${code} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      return;
    }
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    const lines = ['HTTP/1.1 101 Switching Protocols', 'connection: Upgrade', 'upgrade: websocket'];
    socket.write([...lines, `sec-websocket-accept: ${accept}`, ...fields(request), '', ''].join('\r\n'));
    const peer = new Peer(socket);
    behaviour.greet?.(peer);
    let buffer = head;
    let text = '';
    let count = 0;
    const read = (octets: Buffer): void => {
      buffer = Buffer.concat([buffer, octets]);
      for (let frame = frameAt(buffer); frame !== undefined; frame = frameAt(buffer)) {
        buffer = buffer.subarray(frame.end);
        if (frame.opcode === OPCODE.ping && pongs) peer.frame(OPCODE.pong, frame.payload);
        if (frame.opcode !== OPCODE.text && frame.opcode !== OPCODE.continuation) continue;
        text += frame.payload.toString();
        if (!frame.isFinal) continue;
        count += 1;
        behaviour.answer?.(messageOf(text), peer, count);
        text = '';
      }
    };
    socket.on('data', read);
  });
  const port = await listening(t, server);
  return `ws://127.0.0.1:${port}/v1/agent`;
}

/** The first frame of `buffer`. The checks mask with zeros, so that the octets stay as they are. */
function frameAt(buffer: Buffer) {
  if (buffer.length < 2) return undefined;
  const short = buffer[1]! & 0x7f;
  const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + extra + (buffer[1]! & 0x80 ? 4 : 0);
  if (buffer.length < start) return undefined;
  const length = extra === 2 ? buffer.readUInt16BE(2) : extra === 8 ? Number(buffer.readBigUInt64BE(2)) : short;
  const end = start + length;
  if (buffer.length < end) return undefined;
  const opcode = buffer[0]! & 0x0f;
  return { opcode, payload: buffer.subarray(start, end), isFinal: (buffer[0]! & 0x80) !== 0, end };
}

function messageOf(text: string): Message {
  try {
    return (JSON.parse(text) ?? {}) as Message;
  } catch {
    return {};
  }
}

const PACE = { heartbeatMs: 20, suspectMs: 40, leaseMs: 400, epoch: 'e', coordinators: [], warnings: [] };
const registered = (node: object, more: object = {}) => ({ type: 'registered', node, ...PACE, ...more });
const error = (code: string) => ({ type: 'error', code, message: 'no' });

/** Accepts every upgrade, and sends nothing. */
const SILENT: Behaviour = {};
/** Registers every node as it is sent, and refuses nothing. */
const GULLIBLE: Behaviour = {
  answer: ({ type, node }, peer) => {
    if (type === 'register') peer.send(registered(node ?? {}));
  },
};
/** Refuses every message with an error, and closes nothing. */
const STUBBORN: Behaviour = { answer: (_, peer) => peer.send(error('no-such-code')) };
/** Closes each connection at its first message. */
const ABRUPT: Behaviour = { answer: (_, peer) => peer.close(1011) };

const changed = (change: (node: object) => object, more: object = {}): Behaviour => ({
  answer: ({ type, node = {} }, peer) => {
    if (type === 'register') peer.send(registered(change(node), more));
  },
});
const asSent = (more: object): Behaviour => changed((node) => node, more);

/** Behaviour and observation, for each check at least one. */
const FAILURES: Readonly<Record<string, readonly (readonly [Behaviour, RegExp])[]>> = {
  'upgrade-accepted': [
    [{ status: () => 401 }, /^HTTP 401: set ROLLCALL_JOIN_TOKEN to a token that may join$/],
    [{ status: () => 403 }, /^HTTP 403: set ROLLCALL_JOIN_TOKEN/],
    [{ status: () => 500 }, /^HTTP 500$/],
    [{ fields: () => [] }, /^subprotocol none$/],
    [{ fields: () => ['sec-websocket-protocol: rollcall.v2'] }, /^subprotocol rollcall\.v2$/],
  ],
  'upgrade-several-versions': [
    [{ status: () => 426 }, /^HTTP 426$/],
    [{ fields: () => ['sec-websocket-protocol: rollcall.v999'] }, /^subprotocol rollcall\.v999$/],
    [{ fields: () => [] }, /^subprotocol none$/],
  ],
  'upgrade-unknown-version': [
    [SILENT, /^the upgrade was accepted$/],
    [{ status: () => 400 }, /^HTTP 400 instead of 426$/],
  ],
  'upgrade-no-version': [
    [SILENT, /^the upgrade was accepted$/],
    [{ status: () => 400 }, /^HTTP 400 instead of 426$/],
  ],
  'upgrade-origin': [
    [SILENT, /^the upgrade was accepted$/],
    [{ status: () => 401 }, /^HTTP 401 instead of 403$/],
  ],
  'upgrade-wrong-token': [
    [SILENT, /^the upgrade was accepted$/],
    [{ status: () => 403 }, /^HTTP 403 instead of 401$/],
  ],
  'upgrade-no-token': [
    [SILENT, /^the upgrade was accepted$/],
    [{ status: () => 403 }, /^HTTP 403 instead of 401$/],
  ],
  'upgrade-token-in-url': [[SILENT, /^the upgrade was accepted$/]],
  'upgrade-no-compression': [
    [{ status: () => 500 }, /^HTTP 500$/],
    [
      { fields: () => ['sec-websocket-protocol: rollcall.v1', 'sec-websocket-extensions: permessage-deflate'] },
      /^extensions permessage-deflate$/,
    ],
  ],
  'frame-not-json': [
    [SILENT, /^"\{": nothing within \d+ ms instead of error bad-message$/],
    [STUBBORN, /^"\{": error no-such-code instead of error bad-message$/],
    [
      { answer: (_, peer) => peer.send(error('bad-message')) },
      /^after three bad messages: nothing within \d+ ms instead of a close with 4400$/,
    ],
  ],
  'frame-binary': [
    [SILENT, /^nothing within \d+ ms instead of a close with 1003$/],
    [{ greet: (peer) => peer.close(1000) }, /^a close with 1000 instead of a close with 1003$/],
  ],
  'frame-bad-utf8': [
    [SILENT, /instead of a close with 1007$/],
    [ABRUPT, /^a close with 1011 instead of a close with 1007$/],
  ],
  'frame-too-big': [
    [SILENT, /instead of a close with 1009$/],
    [ABRUPT, /^a close with 1011 instead of a close with 1009$/],
  ],
  'frame-largest': [
    [SILENT, /instead of registered$/],
    [{ answer: (_, peer) => peer.close(1009) }, /^a close with 1009 instead of registered$/],
  ],
  'frame-fragments': [
    [{ pongs: false }, /instead of a pong$/],
    [SILENT, /instead of registered$/],
  ],
  'frame-many-fragments': [[SILENT, /instead of a close with 1008 or 1009$/]],
  'frame-broken': [[SILENT, /^a frame without a mask: nothing within \d+ ms instead of a close with 1002$/]],
  'frame-ping': [
    [{ pongs: false }, /instead of a pong$/],
    [{ pongs: false, greet: (peer) => peer.frame(OPCODE.pong, 'other') }, /^a pong with another payload$/],
    [{ greet: (peer) => peer.close(1001) }, /^a close with 1001 instead of a pong$/],
  ],
  'message-unknown-type': [
    [SILENT, /instead of error unknown-message$/],
    [STUBBORN, /^error no-such-code instead of error unknown-message$/],
    [
      {
        answer: (_, peer, count) => (count === 1 ? peer.send(error('unknown-message')) : peer.close(4400)),
      },
      /^a close with 4400 instead of registered$/,
    ],
  ],
  'message-no-type': [[SILENT, /^no type: nothing within \d+ ms instead of error missing-field or bad-message$/]],
  'message-deep-nesting': [
    [SILENT, /instead of error unknown-message or bad-message$/],
    [ABRUPT, /^a close with 1011 instead of error/],
  ],
  'message-equal-keys': [
    [changed((node) => ({ ...node, id: 'protocol-check-first' })), /^registered as protocol-check-first$/],
  ],
  'message-prototype-keys': [
    [GULLIBLE, /^__proto__ in a message: registered instead of error bad-field$/],
    [STUBBORN, /^__proto__ in a message: error no-such-code instead of error bad-field$/],
  ],
  'register-defaults': [
    [GULLIBLE, /^route is absent instead of "/],
    [STUBBORN, /^error no-such-code \(no\) instead of registered$/],
    [
      changed(({ id, ...rest }: { id?: unknown }) => ({
        id,
        route: id,
        contexts: [{ path: '/' }],
        weight: 2,
        ...rest,
      })),
      /^weight is 2 instead of 1$/,
    ],
    [
      changed(({ id, ...rest }: { id?: unknown }) => ({
        ...{ id, route: id, contexts: [{ path: '/' }], weight: 1, loadHeader: false, meta: {} },
        ...rest,
      })),
      /^registered has no incarnation$/,
    ],
  ],
  'register-pace': [
    [asSent({ suspectMs: 10 }), /^heartbeatMs 20, suspectMs 10, leaseMs 400$/],
    [asSent({ leaseMs: 3_600_001 }), /leaseMs 3600001$/],
    [asSent({ heartbeatMs: '20' }), /^heartbeatMs NaN/],
    [asSent({ epoch: 5 }), /^epoch 5$/],
    [asSent({ epoch: 'x'.repeat(65) }), /^epoch x{65}$/],
    [asSent({ coordinators: undefined }), /^coordinators or warnings is no list$/],
    [asSent({ warnings: {} }), /^coordinators or warnings is no list$/],
  ],
  'register-all-fields': [
    [changed((node) => ({ ...node, weight: 1 })), /^weight is 1 instead of 0\.5$/],
    [changed((node) => ({ ...node, meta: {} })), /^meta is \{\} instead of \{"build":"a b c"\}$/],
  ],
  'register-unknown-fields': [[GULLIBLE, /^registered has the unknown field$/]],
  'register-null-fields': [[GULLIBLE, /^weight is null instead of 1$/]],
  'register-missing-fields': [[GULLIBLE, /^no id: registered instead of error missing-field$/]],
  'register-first': [
    [SILENT, /instead of error not-registered$/],
    [ABRUPT, /^a close with 1011 instead of error not-registered$/],
  ],
  'register-again': [
    [changed((node) => ({ ...node, weight: 1 })), /^weight is 1 instead of 2$/],
    [GULLIBLE, /^registered instead of error already-registered$/],
  ],
  'names-refused': [[GULLIBLE, /^route "": registered instead of error bad-name$/]],
  'names-case': [[STUBBORN, /^error no-such-code \(no\) instead of registered$/]],
  'addresses-refused': [[GULLIBLE, /^http:\/\/2130706433:80: registered instead of error bad-address$/]],
  'fields-refused': [[GULLIBLE, /^weight 0: registered instead of error bad-field or bad-name$/]],
  'numbers-refused': [[GULLIBLE, /^"load":1e999: nothing within \d+ ms instead of error bad-field or bad-name$/]],
  'numbers-accepted': [
    [GULLIBLE, /instead of error unknown-message$/],
    [
      {
        answer: ({ type, node = {} }, peer) => peer.send(type === 'register' ? registered(node) : error('bad-field')),
      },
      /^error bad-field instead of error unknown-message$/,
    ],
  ],
  'same-instance-newest': [[GULLIBLE, /instead of a close with 4409$/]],
  'other-instance-higher': [[GULLIBLE, /instead of error superseded$/]],
  'other-instance-lower': [
    [GULLIBLE, /^registered instead of error superseded$/],
    [
      {
        answer: ({ node }, peer) =>
          peer.send(node?.['incarnation'] === 1_600_000_000_000 ? registered(node) : error('superseded')),
      },
      /^holderConnected is undefined$/,
    ],
  ],
  'other-instance-equal': [[GULLIBLE, /^registered instead of error id-taken$/]],
  'superseded-speaks': [[GULLIBLE, /instead of a close with 4409$/]],
  'leave-then-heartbeat': [[GULLIBLE, /instead of a close with 1000$/]],
  'route-taken': [[GULLIBLE, /^registered instead of error route-taken$/]],
  'address-taken': [[GULLIBLE, /^registered instead of error address-taken$/]],
  'register-timeout': [
    [SILENT, /instead of error register-timeout$/],
    [{ greet: (peer) => peer.send(error('register-timeout')) }, /instead of a close with 4408$/],
  ],
  drained: [[GULLIBLE, /instead of drained$/]],
  'too-fast': [[GULLIBLE, /instead of error too-fast$/]],
};

/** Not here: the check tries for ten seconds before it fails. */
const SLOW = ['silent-holder'];
/** Longer than an answer takes on a busy machine: some failures are seen only after it. */
const WAIT_MS = 400;

test('each check of the suite has a failure', () => {
  const all = CHECKS.map(({ id }) => id);
  assert.deepEqual([...Object.keys(FAILURES), ...SLOW].sort(), [...all].sort());
});

for (const check of CHECKS)
  for (const [behaviour, seen] of FAILURES[check.id] ?? [])
    test(`${check.id} fails: ${seen.source}`, async (t) => {
      const url = await startBroken(t, behaviour);
      const bench = new Bench({ url, token: 'secret', balancer: 'b', run: 'run' }, () => WAIT_MS);
      t.after(() => bench.cleanUp());
      await assert.rejects(check.run(bench), (deviation) => {
        assert.ok(deviation instanceof Deviation, String(deviation));
        assert.match(deviation.message, seen);
        return true;
      });
    });
