/**
 * Sends partly invalid messages, and random octets, as a client without rights, a worker and an operator. The coordinator must
 * answer, and a node of another token must stay unchanged, with its connection.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FEED_PATH, FEED_SUBPROTOCOL } from '@rollcall/feed';
import { AGENT_PATH, AGENT_SUBPROTOCOL, type NodeResource } from '@rollcall/protocol';
import { type Mutation, mutated } from '@rollcall/protocol/testing';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import { startTestCoordinator, TEST_FEED_TOKEN, type TestCoordinator } from './testing/test-coordinator.ts';
import { startTestNode } from './testing/test-node.ts';
import { TestSocket } from './testing/test-socket.ts';

/** Fixed seeds; each run adds a random one, which is printed if it finds a failure. */
const SEEDS: readonly number[] = [18, 20_261_201, 70];
const RUNS = 40;
const GUEST = { name: 'guest', token: 'token-of-the-guest-of-the-test' };
const OWNER = { name: 'owner', token: 'token-of-the-owner-of-the-test' };
const TIMEOUT = { timeout: 180_000 };

const mutations = fc.array(
  fc.record<Mutation>({
    place: fc.nat(1_000),
    how: fc.constantFrom<Mutation['how'][]>('replace', 'delete', 'add', 'repeat'),
    what: fc.nat(10_000),
  }),
  { maxLength: 3 },
);

/** Texts: messages with up to three wrong parts, and any text. */
function texts(messages: readonly object[]): fc.Arbitrary<string[]> {
  const message = fc.tuple(fc.constantFrom(...messages), mutations).map(([base, some]) => textOf(mutated(base, some)));
  return fc.array(fc.oneof({ weight: 6, arbitrary: message }, fc.string(), fc.json()), { minLength: 1, maxLength: 4 });
}

function textOf(value: object): string {
  return JSON.stringify(value);
}

interface Stage extends TestCoordinator {
  /** The node whose state must not change. */
  readonly bystander: { readonly url: string; readonly socket: TestSocket };
  /** Fails unless the coordinator answers and the bystander is unchanged. */
  isUntouched(): Promise<void>;
}

async function stage(t: TestContext): Promise<Stage> {
  const stateDir = await mkdtemp(join(tmpdir(), 'rollcall-fuzz-'));
  const tokens = [GUEST, OWNER].map(({ name, token }) => ({
    name,
    role: 'join',
    sha256: createHash('sha256').update(token).digest('hex'),
  }));
  await writeFile(join(stateDir, 'tokens.json'), JSON.stringify({ version: 1, tokens }), { mode: 0o600 });
  const started = await startTestCoordinator({ stateDir, suspectMs: 300_000, leaseMs: 600_000 });
  t.after(() => started.close());
  const program = await startTestNode();
  t.after(() => program.close());
  const socket = await agentSocket(started, OWNER.token);
  t.after(() => socket.terminate());
  const hosts = ['bystander.test'];
  socket.send({ type: 'register', node: { id: 'bystander', balancer: 'quiet', url: program.url, hosts } });
  await socket.next('registered');
  socket.send({ type: 'heartbeat', seq: 1, load: 0.25, sessions: 3 });
  const state = async (): Promise<object> => {
    const answer = await started.api('/v1/nodes/bystander');
    assert.equal(answer.status, 200, answer.text);
    const { id, balancer, url, route, contexts, hosts, weight, wanted } = answer.json<NodeResource>();
    return { id, balancer, url, route, contexts, hosts, weight, wanted: wanted.status };
  };
  const before = await state();
  const isUntouched = async () => {
    assert.deepEqual(await state(), before);
    assert.equal(socket.socket.readyState, WebSocket.OPEN, 'the bystander has lost its connection');
    assert.equal((await started.api('/livez', { token: '' })).status, 200);
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  };
  return { ...started, bystander: { url: program.url, socket }, isUntouched };
}

function agentSocket({ coordinator }: TestCoordinator, token: string): Promise<TestSocket> {
  const headers = { authorization: `Bearer ${token}` };
  return TestSocket.open(`${coordinator.agentsUrl}${AGENT_PATH}`, AGENT_SUBPROTOCOL, { headers });
}

async function everySeed<Value>(
  values: fc.Arbitrary<Value>,
  run: (value: Value) => Promise<void>,
  stage: Stage,
): Promise<void> {
  for (const seed of [...SEEDS, Math.floor(Math.random() * 2 ** 31)]) {
    await fc.assert(fc.asyncProperty(values, run), { seed, numRuns: RUNS, endOnFailure: true });
    await stage.isUntouched();
  }
}

/** Sends the texts, and waits until the coordinator has answered a later ping or has closed. */
async function sendAll(socket: TestSocket, all: readonly string[]): Promise<void> {
  const { socket: ws } = socket;
  const answered = Promise.race([once(ws, 'pong'), socket.closed]);
  for (const text of all) ws.send(text);
  ws.ping();
  await answered;
  socket.terminate();
  await socket.closed;
}

test('no message of an untrusted agent changes another node or connection', TIMEOUT, async (t) => {
  const on = await stage(t);
  const node = { id: 'guest-1', balancer: 'guests', url: on.bystander.url, hosts: ['guest.test'], weight: 1 };
  const register = { type: 'register', node: { ...node, url: 'http://127.0.0.1:9', meta: { a: 'b' } } };
  const messages = [
    register,
    register,
    // Names that the bystander holds.
    { type: 'register', node },
    { type: 'register', node: { ...node, id: 'bystander', incarnation: 9_000_000_000_000 } },
    { type: 'register', node: { ...register.node, balancer: 'quiet', route: 'bystander' } },
    { type: 'register', node: { ...register.node, hosts: ['bystander.test'] } },
    { type: 'register', node: { ...register.node, balancer: 'quiet', sticky: { mode: 'none', cookies: ['x'] } } },
    { type: 'heartbeat', seq: 1, load: 0.5, sessions: 1, metrics: { cpu: 1 }, values: { cpu: 1 } },
    { type: 'status', status: 'stopped', reason: 'x', contexts: ['/'], deadlineMs: 1 },
    { type: 'leave' },
  ];
  const run = async (all: string[]) => sendAll(await agentSocket(on, GUEST.token), all);
  await everySeed(texts(messages), run, on);
});

test('no message of a worker changes the registration of a node', TIMEOUT, async (t) => {
  const on = await stage(t);
  const hello = { type: 'hello', worker: 'w1', pid: 1, version: '1', feedVersion: 1 };
  const messages = [
    hello,
    { type: 'applied', revision: 1 },
    { type: 'ports', ports: [['bystander', 'refused']] },
    {
      type: 'sessions',
      nodes: [{ id: 'bystander', level: 0, partMs: 1_000, partEndsInMs: 500, seen: [[0, '']] }],
    },
    { type: 'sticky', revision: 1, balancers: [{ balancer: 'quiet', routed: 1, unrouted: 99, other: 1 }] },
    { type: 'observed', id: 'bystander', what: 'ejected', reason: 'x' },
    {
      type: 'counters',
      revision: 1,
      totals: { requests: 1, inFlight: 1, statusClasses: [0, 1, 0, 0, 0], latencyBuckets: [1] },
      nodes: [{ id: 'bystander', inFlight: 1, requests: 9, failures: 9, isEjected: true, latencyMs: 5 }],
      failovers: [{ balancer: 'quiet', node: 'bystander', cause: 'gone', count: 1 }],
    },
    { type: 'answer', id: 1, answer: { type: 'explain', outcome: 'node', because: 'x', candidates: [] } },
  ];
  const headers = { authorization: `Bearer ${TEST_FEED_TOKEN}` };
  const run = async (all: string[]) =>
    sendAll(await TestSocket.open(`${on.coordinator.agentsUrl}${FEED_PATH}`, FEED_SUBPROTOCOL, { headers }), [
      textOf(hello),
      ...all,
    ]);
  await everySeed(texts(messages), run, on);
});

test('every request of an operator is answered, never with 5xx, and changes no other node', TIMEOUT, async (t) => {
  const on = await stage(t);
  const sticky = { mode: 'insert', cookies: ['a'], failover: 'any' };
  const put = { balancer: 'fuzz', url: 'http://127.0.0.1:9', hosts: ['fuzz.test'], weight: 1, ttlMs: 5_000, sticky };
  const requests = [
    ['PUT', '/v1/nodes/fuzz-1', put],
    ['PATCH', '/v1/nodes/fuzz-1', { weight: 2, standby: true, redirectTo: null, reason: 'x' }],
    ['POST', '/v1/nodes/fuzz-1/drain', { reason: 'x', deadlineMs: 5, forMs: 5, dryRun: false }],
    ['POST', '/v1/nodes/fuzz-1/enable', {}],
    ['DELETE', '/v1/nodes/fuzz-1', { reason: 'x' }],
    ['PATCH', '/v1/balancers/fuzz', { algorithm: null, retries: 1, sticky, sessionIdleMs: 5_000 }],
    ['POST', '/v1/explain', { host: 'fuzz.test', target: '/x?y', cookie: 'a=b' }],
    ['POST', '/v1/decisions', { count: 1, forMs: 1, onlyPicks: true }],
  ] as const;
  const paths = fc.oneof(
    { weight: 5, arbitrary: fc.constant('') },
    fc.constantFrom('/../bystander', '%2e%2e/bystander', '/', '//', '?x=1', '%00', '/x', ';x', '#x', '%zz'),
  );
  const request = fc.tuple(fc.constantFrom(...requests), paths, mutations, fc.option(fc.string(), { freq: 6 }));
  await everySeed(
    request,
    async ([[method, path, body], suffix, some, raw]) => {
      const answer = await on.api(path + suffix, { method, body: raw ?? textOf(mutated(body, some)) });
      // No worker is connected to answer explain or decisions.
      const isMissingWorker = answer.status === 503 && answer.text.includes('worker-unavailable');
      assert.ok(answer.status < 500 || isMissingWorker, `${method} ${path}${suffix}: ${answer.status} ${answer.text}`);
    },
    on,
  );
});
