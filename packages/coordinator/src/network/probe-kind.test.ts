import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { parseNodeUrl } from '@rollcall/protocol';
import { closeServer, listenOn } from '../testing/tcp.ts';
import { type KindAnswer, probeKind } from './probe-kind.ts';

const INSTANCE = 'a'.repeat(32);

async function ask(
  t: TestContext,
  server: Server,
  { isAgent = true, hasReadyPath = false, proves = false, scheme = 'http', signal = new AbortController().signal } = {},
): Promise<KindAnswer> {
  const port = await listenOn(server, 0);
  t.after(() => closeServer(server));
  const url = parseNodeUrl(`${scheme}://127.0.0.1:${port}`)!;
  const instance = isAgent ? INSTANCE : undefined;
  const provesAt = proves ? '/shop' : undefined;
  const question = { url, host: '127.0.0.1', port, instance, hasReadyPath, provesAt, userAgent: 'rollcall-probe/1' };
  return probeKind(question, signal);
}

const http = (listener: RequestListener): Server => createServer(listener);
const tcp = (listener: (socket: Socket) => void): Server =>
  createTcpServer((socket) => {
    socket.on('error', () => undefined);
    listener(socket);
    socket.resume();
  });

function proofOf({ headers }: IncomingMessage, key = INSTANCE): string {
  return createHmac('sha256', key).update(String(headers['rollcall-probe'])).digest('hex');
}

test('a valid proof is accepted, and the question names the coordinator', async (t) => {
  let request: IncomingMessage | undefined;
  const kind = await ask(
    t,
    http((asked, reply) => {
      request = asked;
      reply.writeHead(204, { 'rollcall-proof': proofOf(asked) }).end();
    }),
  );
  assert.equal(kind, 'proof');
  assert.deepEqual([request?.method, request?.url], ['OPTIONS', '*']);
  assert.equal(request?.headers['user-agent'], 'rollcall-probe/1');
  assert.match(String(request?.headers['rollcall-probe']), /^[0-9a-f]{32}$/);
  assert.match(String(request?.headers.host), /^127\.0\.0\.1:\d+$/);
});

test('any other HTTP answer counts as an answer: another proof, no proof, an error', async (t) => {
  assert.equal(
    await ask(
      t,
      http((asked, reply) => reply.setHeader('rollcall-proof', proofOf(asked, 'b'.repeat(32))).end()),
    ),
    'options',
  );
  assert.equal(
    await ask(
      t,
      http((_, reply) => reply.writeHead(500).end()),
    ),
    'options',
  );
  const bare = tcp((socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
  assert.equal(await ask(t, bare), 'options');
});

test('a member without an agent proves nothing', async (t) => {
  const server = http((asked, reply) => reply.setHeader('rollcall-proof', proofOf(asked)).end());
  assert.equal(await ask(t, server, { isAgent: false }), 'options');
});

test('after no answer, a close or bytes that are not HTTP, the probe is HEAD of the ready path, or a connect', async (t) => {
  for (const listener of [
    () => undefined,
    (socket: Socket) => socket.end(),
    (socket: Socket) => socket.end('SSH-2.0-x\r\n'),
  ]) {
    assert.equal(await ask(t, tcp(listener)), 'connect');
    assert.equal(await ask(t, tcp(listener), { hasReadyPath: true }), 'head');
  }
});

test('if a proof was promised, an answer without it comes from another program', async (t) => {
  const asked: string[] = [];
  const other = http(({ method, url }, reply) => {
    asked.push(`${method} ${url}`);
    reply.end();
  });
  assert.equal(await ask(t, other, { proves: true }), 'other');
  assert.deepEqual(asked, ['OPTIONS *', 'HEAD /shop']);
  const successor = http((request, reply) => reply.setHeader('rollcall-proof', proofOf(request, 'b'.repeat(32))).end());
  assert.equal(await ask(t, successor, { proves: true }), 'other');
});

test('an intermediary that answers OPTIONS * itself, or adds Via, is not another program', async (t) => {
  const mesh = http((request, reply) => {
    if (request.method === 'OPTIONS') reply.writeHead(404).end();
    else reply.setHeader('rollcall-proof', proofOf(request)).end();
  });
  assert.equal(await ask(t, mesh, { proves: true }), 'options');
  const proxy = http((_, reply) => reply.setHeader('via', '1.1 front').end());
  assert.equal(await ask(t, proxy, { proves: true }), 'options');
});

test('no answer is no evidence of another program', async (t) => {
  assert.equal(
    await ask(
      t,
      tcp((socket) => socket.end()),
      { proves: true },
    ),
    'connect',
  );
});

test('it can be aborted', async (t) => {
  const abort = new AbortController();
  const server = tcp(() => abort.abort());
  assert.equal(await ask(t, server, { signal: abort.signal }), 'connect');
});

/** A node that sends `octets` when it gets CPING. */
const ajp = (octets: readonly number[]): Server =>
  tcp((socket) =>
    socket.on('data', (asked) => {
      assert.deepEqual([...asked], [0x12, 0x34, 0, 1, 10]);
      // In two segments: the second one follows when the first has left.
      socket.write(Uint8Array.from(octets.slice(0, 2)), () => socket.end(Uint8Array.from(octets.slice(2))));
    }),
  );
const CPONG = [0x41, 0x42, 0, 1, 9];

test('a node over AJP is asked by CPING, and nothing but CPONG is an answer', async (t) => {
  const scheme = 'ajp';
  assert.equal(await ask(t, ajp(CPONG), { scheme }), 'options');
  assert.equal(await ask(t, ajp(CPONG), { scheme, proves: true, hasReadyPath: true }), 'options');
  for (const octets of [[], CPONG.slice(0, 4), [0x41, 0x42, 0, 1, 8], [...Buffer.from('HTTP/1.1 400 \r\n')]])
    assert.equal(await ask(t, ajp(octets), { scheme, hasReadyPath: true }), 'connect');
  assert.equal(
    await ask(
      t,
      tcp(() => {}),
      { scheme, signal: AbortSignal.abort() },
    ),
    'connect',
  );
});
