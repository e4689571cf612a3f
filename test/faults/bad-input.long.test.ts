/** Bad input gets a stable code or a documented close, and does not affect other clients. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { WebSocket } from 'ws';
import { LiveCluster } from '../live-cluster/cluster.ts';

let cluster: LiveCluster;
let bystander: Agent;
const program = http.createServer((request, response) => {
  request.resume();
  request.on('end', () => response.end('hello'));
});

before(async () => {
  cluster = await LiveCluster.start();
  program.listen(0, '127.0.0.1');
  await once(program, 'listening');
  bystander = await Agent.connect();
  bystander.send({ type: 'register', node: nodeOf('bystander') });
  assert.equal((await bystander.next())['type'], 'registered');
  await cluster.untilUp('bystander');
  while ((await get('/')) !== 200) await new Promise((resolve) => setImmediate(resolve));
});

after(async () => {
  bystander.close();
  program.close();
  await cluster.close();
});

function nodeOf(id: string): Record<string, unknown> {
  return { id, balancer: 'web', url: `http://127.0.0.1:${(program.address() as net.AddressInfo).port}` };
}

/** A raw agent connection: sends any text and queues received messages. */
class Agent {
  readonly socket: WebSocket;
  readonly #told: Record<string, unknown>[] = [];
  #waiting: ((message: Record<string, unknown>) => void) | undefined;
  /** Resolves with the close code. */
  readonly closed: Promise<number>;

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as Record<string, unknown>;
      if (this.#waiting) {
        this.#waiting(message);
        this.#waiting = undefined;
      } else this.#told.push(message);
    });
  }

  static async connect(): Promise<Agent> {
    const socket = new WebSocket(`${cluster.controlUrl.replace('http', 'ws')}${AGENT_PATH}`, AGENT_SUBPROTOCOL);
    const agent = new Agent(socket);
    await once(socket, 'open');
    return agent;
  }

  send(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  next(): Promise<Record<string, unknown>> {
    const known = this.#told.shift();
    return known
      ? Promise.resolve(known)
      : new Promise((resolve) => {
          this.#waiting = resolve;
        });
  }

  close(): void {
    this.socket.terminate();
  }
}

/** Status of a GET through the proxy. */
function get(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port: cluster.proxyPort, path, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
      .on('error', reject);
  });
}

/** Fails unless other clients are unaffected. */
async function assertUnharmed(): Promise<void> {
  assert.equal(await get('/'), 200);
  assert.equal(bystander.socket.readyState, WebSocket.OPEN);
  const response = await fetch(`${cluster.controlUrl}/v1/nodes/bystander`);
  assert.equal(((await response.json()) as { liveness: string }).liveness !== 'gone', true);
  bystander.send({ type: 'heartbeat' });
}

const FRAMES: readonly (readonly [what: string, frame: string | object, code: string])[] = [
  ['malformed JSON', '{', 'bad-message'],
  ['JSON that is no object', '[]', 'bad-message'],
  ['a type that is no text', { type: 5 }, 'missing-field'],
  ['an unknown message', { type: 'hello' }, 'unknown-message'],
  ['a field of the wrong type', { type: 'register', node: { ...nodeTemplate(), weight: 'heavy' } }, 'bad-field'],
  ['an over-long name', { type: 'register', node: { ...nodeTemplate(), id: 'x'.repeat(65) } }, 'bad-name'],
  ['an illegal name', { type: 'register', node: { ...nodeTemplate(), route: 'a.b' } }, 'bad-name'],
  ['a negative load', { type: 'heartbeat', load: -1 }, 'bad-field'],
  ['an infinite load', '{"type":"heartbeat","load":1e999}', 'bad-field'],
  ['a __proto__ key', '{"type":"heartbeat","__proto__":{"load":0}}', 'bad-field'],
  ['a heartbeat before registering', { type: 'heartbeat' }, 'not-registered'],
];

function nodeTemplate(): Record<string, unknown> {
  return { id: 'bad-1', balancer: 'web', url: 'http://127.0.0.1:9' };
}

for (const [what, frame, code] of FRAMES) {
  test(`${what} gets the error ${code} and the connection stays`, async () => {
    const agent = await Agent.connect();
    agent.send(frame);
    const answer = await agent.next();
    assert.deepEqual([answer['type'], answer['code']], ['error', code]);
    assert.equal(agent.socket.readyState, WebSocket.OPEN);
    agent.close();
    await assertUnharmed();
  });
}

test('the third bad message within a minute closes with 4400', async () => {
  const agent = await Agent.connect();
  for (let i = 0; i < 3; i++) agent.send('{');
  assert.equal(await agent.closed, 4400);
  await assertUnharmed();
});

test('a duplicate route gets route-taken and 4409', async () => {
  const agent = await Agent.connect();
  agent.send({ type: 'register', node: { ...nodeOf('thief'), route: 'bystander' } });
  assert.equal((await agent.next())['code'], 'route-taken');
  assert.equal(await agent.closed, 4409);
  await assertUnharmed();
});

test('a context that another balancer serves gets context-taken, with what to do', async () => {
  const agent = await Agent.connect();
  agent.send({ type: 'register', node: { ...nodeOf('other'), balancer: 'other' } });
  const answer = await agent.next();
  assert.equal(answer['code'], 'context-taken');
  assert.match(String(answer['message']), /--context|--host|--balancer/);
  assert.equal(await agent.closed, 4409);
});

const CLOSES: readonly (readonly [what: string, send: (socket: WebSocket) => void, code: number])[] = [
  ['a frame of 10 MiB', (socket) => socket.send('x'.repeat(10 * 1024 * 1024)), 1009],
  ['a binary frame', (socket) => socket.send(Buffer.from('{}')), 1003],
  ['a frame that is not UTF-8', (socket) => socket.send(Buffer.from([0xff, 0xfe]), { binary: false }), 1007],
];
for (const [what, send, code] of CLOSES) {
  test(`${what} closes with ${code}`, async () => {
    const agent = await Agent.connect();
    send(agent.socket);
    assert.equal(await agent.closed, code);
    await assertUnharmed();
  });
}

const REQUESTS: readonly (readonly [what: string, octets: string])[] = [
  ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx'],
  [
    'length and chunked',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['a bare line feed', 'GET / HTTP/1.1\nHost: a\n\n'],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
  ['a broken chunk', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n'],
];
for (const [what, octets] of REQUESTS) {
  test(`an HTTP request with ${what} gets 400 and a closed connection`, async () => {
    const socket = net.connect(cluster.proxyPort, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.write(octets, 'latin1');
    await once(socket, 'end');
    socket.destroy();
    assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*\r\nConnection: close\r\n/);
    await assertUnharmed();
  });
}

const MISTAKES: readonly (readonly [args: readonly string[], says: RegExp])[] = [
  [['frobnicate'], /unknown command/],
  [['nodes', '--jsn'], /did you mean --json/i],
  [['drain'], /needs one of/],
  [['drain', 'a.b'], /is not a name/],
  [['drain', 'n1', '--deadline', 'soon'], /is not a duration/],
  [['add', 'ftp://x'], /is not the address/],
  [['up', '--proxy', 'nowhere'], /is not HOST:PORT/],
  [['up', '--store', 'floppy'], /is not memory/],
  [['drain', 'n1', '--for', '5'], /--for "5" is not a duration with a unit \(ms, s, m, h, d\) like 30s/],
  [['run', '--ready-timeout', '30', '--', 'true'], /--ready-timeout "30" .*ms, s, m, h, d/],
  [['weight', 'n1', '0x10'], /"0x10": write a number from 0.001 to 100/],
  [['up', '--trusted-proxy', '300.1.1.1/8'], /--trusted-proxy 300\.1\.1\.1\/8 is not an address/],
  [['up', '--forwarded', 'xff'], /x-forwarded, rfc7239, both/],
  [['up', '--proxy-protocol', ':443', '--trusted-proxy', '::1'], /:443 is not a listener: write proxy .* tls /],
  [['up', '--proxy-protocol', 'tls', '--trusted-proxy', '::1'], /--proxy-protocol tls needs --tls/],
  [['up', '--proxy-protocol', 'proxy'], /--proxy-protocol needs --trusted-proxy/],
  [['up', '--proxy', '0.0.0.0:8499', '--control', ':8499'], /--proxy and --control both use port 8499/],
  [['up', '--access-log', '/no/such/folder/a.log'], /there is no directory \/no\/such\/folder$/m],
];
for (const [args, says] of MISTAKES) {
  test(`rollcall ${args.join(' ')} prints the remedy in one line, exit 2`, async () => {
    const { code, stdout, stderr } = await cluster.bareCli(...args);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, says);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}
