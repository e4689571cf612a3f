import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { ExplainAnswer, WorkerCounters, WorkerSessions } from '@rollcall/feed';
import { FEED_PATH, FEED_SUBPROTOCOL, NO_COUNTERS } from '@rollcall/feed';
import type { NodeResource, PastDecision, PastDecisionsResource, StatusResource } from '@rollcall/protocol';
import {
  AGENT_PATH,
  AGENT_SUBPROTOCOL,
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import { startTestCoordinator, TEST_FEED_TOKEN, type TestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode } from '../testing/test-node.ts';
import { type TestMessage, TestSocket } from '../testing/test-socket.ts';

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function coordinator(): Promise<TestCoordinator> {
  const started = await startTestCoordinator();
  closers.push(() => started.close());
  return started;
}

async function feed({ coordinator: { agentsUrl } }: TestCoordinator): Promise<TestSocket> {
  const headers = { authorization: `Bearer ${TEST_FEED_TOKEN}` };
  const socket = await TestSocket.open(`${agentsUrl}${FEED_PATH}`, FEED_SUBPROTOCOL, { headers });
  closers.push(() => socket.terminate());
  return socket;
}

async function worker(started: TestCoordinator, name = 'w0', pid = 1): Promise<TestSocket> {
  const socket = await feed(started);
  socket.send({ type: 'hello', worker: name, pid, version: '1' });
  return socket;
}

async function addNode({ api }: TestCoordinator, id: string): Promise<void> {
  const node = await startTestNode();
  closers.push(() => node.close());
  const answer = await api(`/v1/nodes/${id}`, { method: 'PUT', body: { balancer: 'shop', url: node.url } });
  assert.equal(answer.status, 200, answer.text);
}

const TOTALS: WorkerCounters = {
  ...NO_COUNTERS,
  requests: 7,
  inFlight: 1,
  connections: 2,
  accepted: 3,
  bytesIn: 100,
  bytesOut: 2_048,
  statusClasses: [0, 6, 0, 0, 1],
  retries: 1,
  parked: 2,
  oldestParkedMs: 1_500,
  logLinesLost: 4,
  accessLogLinesLost: 5,
  loopDelayMs: 1,
};

test('the feed is for workers only: no token, a join token and the admin token are refused', async () => {
  const started = await startTestCoordinator({ joinToken: 'secret-of-the-test' });
  closers.push(() => started.close());
  const url = `${started.coordinator.agentsUrl}${FEED_PATH}`;
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  assert.equal(await TestSocket.refusal(url, [FEED_SUBPROTOCOL]), 401);
  assert.equal(await TestSocket.refusal(url, [FEED_SUBPROTOCOL], bearer('secret-of-the-test')), 403);
  assert.equal(await TestSocket.refusal(url, [FEED_SUBPROTOCOL], bearer(started.adminToken)), 403);
  assert.equal(await TestSocket.refusal(url, ['other'], bearer(TEST_FEED_TOKEN)), 426);
});

test('a worker receives hello, the snapshot and commit, and then every change', async () => {
  const started = await coordinator();
  await addNode(started, 'n1');
  const socket = await worker(started);
  const { epoch } = await socket.next('hello');
  const snapshot = await socket.next('snapshot');
  assert.deepEqual(
    (snapshot['nodes'] as { id: string; liveness: string }[]).map(({ id, liveness }) => [id, liveness]),
    [['n1', 'up']],
  );
  assert.deepEqual([snapshot['part'], snapshot['parts']], [0, 1]);
  const commit = await socket.next('commit');
  assert.equal(commit['epoch'], epoch);
  assert.equal(commit['revision'], started.coordinator.registry.revision);
  assert.equal(commit['leaseMs'], 20_000);

  await started.api('/v1/nodes/n1/drain', { method: 'POST', body: { force: true } });
  const changes = await socket.next('changes');
  const [change] = changes['changes'] as { type: string; node: { contexts: { status: string }[] } }[];
  assert.equal(change?.type, 'node');
  assert.equal(change?.node.contexts[0]?.status, 'draining');
  assert.equal(changes['revision'], started.coordinator.registry.revision);

  await started.api('/v1/nodes/n1', { method: 'DELETE', body: { force: true } });
  const [gone] = (await socket.next('changes'))['changes'] as { type: string; cause: string }[];
  assert.deepEqual([gone?.type, gone?.cause], ['gone', 'removed']);
});

test('changes in quick succession are sent in one message', async () => {
  const started = await coordinator();
  for (const id of ['n1', 'n2', 'n3']) await addNode(started, id);
  const socket = await worker(started);
  await socket.next('commit');
  await started.api('/v1/balancers/shop/drain', { method: 'POST', body: { force: true } });
  const changes = (await socket.next('changes'))['changes'] as unknown[];
  assert.equal(changes.length, 3);
});

test('loads are sent by node index, not as changes', async () => {
  const started = await coordinator();
  await addNode(started, 'n1');
  const socket = await worker(started);
  const { nodes } = (await socket.next('snapshot')) as TestMessage & { nodes: { index: number; url: string }[] };
  const { revision } = started.coordinator.registry;
  const answer = await started.api('/v1/nodes/n1', {
    method: 'PUT',
    body: { balancer: 'shop', url: nodes[0]!.url, load: 0.75, sessions: 5 },
  });
  assert.equal(answer.status, 200);
  assert.deepEqual((await socket.next('loads'))['loads'], [[nodes[0]!.index, 0.75, 5]]);
  assert.equal(started.coordinator.registry.revision, revision);
});

test('after a worker has joined or ended, every worker receives the sessions of all', async () => {
  const started = await coordinator();
  await addNode(started, 'n1');
  const first = await worker(started, 'w0', 1);
  const { revision } = await first.next('commit');
  first.send({ type: 'applied', revision });
  const sample = { id: 'n1', level: 0, partMs: 112_500, partEndsInMs: 112_500 };
  first.send({
    type: 'sessions',
    nodes: [{ ...sample, seen: [[0, 'AAAAAAAA']], once: { level: 0, seen: [[0, 'BBBBBBBB']] } }],
  });
  const numbers = async () => {
    const { sessions, sessionsSeenOnce } = (await started.api('/v1/nodes/n1')).json<NodeResource>();
    return [sessions, sessionsSeenOnce].join();
  };
  while ((await numbers()) !== '1,1') await new Promise((resolve) => setTimeout(resolve, 10));

  const second = await worker(started, 'w1', 2);
  const copies = async (socket: TestSocket) => {
    const { nodes } = (await socket.next('sessions')) as TestMessage & { nodes: WorkerSessions['nodes'] };
    return nodes.map(({ id, seen, once }) => [id, seen[0]?.[1], once?.seen[0]?.[1]]);
  };
  const all = [['n1', 'AAAAAAAA', 'BBBBBBBB']];
  assert.deepEqual(await copies(second), all);
  assert.deepEqual(await copies(first), all);
  first.terminate();
  assert.deepEqual(await copies(second), all);
});

test('what a worker counts is in node, status and metrics, and outlives the worker', async () => {
  const started = await coordinator();
  await addNode(started, 'n1');
  const socket = await worker(started);
  const { revision } = await socket.next('commit');
  socket.send({ type: 'applied', revision });
  socket.send({
    type: 'counters',
    revision,
    nodes: [
      {
        id: 'n1',
        inFlight: 1,
        tunnels: 0,
        parked: 2,
        requests: 7,
        failures: 1,
        serverErrors: 1,
        newSessions: 2,
        activeSessions: 2,
        sessionsSeenOnce: 0,
        bytesToNode: 1,
        bytesFromNode: 2,
        latencyMs: 3,
        isEjected: false,
      },
    ],
    totals: TOTALS,
    failovers: [{ balancer: 'shop', node: 'n1', cause: 'refused', count: 4 }],
  });
  socket.send({ type: 'ports', ports: [['n1', 'answers']] });
  socket.send({ type: 'observed', id: 'n1', what: 'ejected', reason: 'connection refused' });
  await answered(socket);
  const node = (await started.api('/v1/nodes/n1')).json<NodeResource>();
  assert.deepEqual([node.inFlight, node.sessions, node.sessionsFrom, node.observed.requests], [1, 2, 'workers', 7]);
  assert.deepEqual(node.observed.ports, [{ worker: 'w0', port: 'answers' }]);
  assert.deepEqual([node.observed.parked, node.observed.failovers], [2, { refused: 4 }]);
  const status = (await started.api('/v1/status')).json<StatusResource>();
  assert.deepEqual(status.parked, { requests: 2, oldestMs: 1_500 });
  assert.deepEqual(
    status.workers.map(({ worker: name, isCurrent, requests }) => [name, isCurrent, requests]),
    [['w0', true, 7]],
  );
  const { events } = (await started.api('/v1/events')).json<{ events: { type: string; message: string }[] }>();
  assert.ok(events.some(({ type, message }) => type === 'ejected' && message.includes('connection refused')));

  const again = await worker(started, 'w0', 2);
  await again.next('commit');
  again.send({ type: 'counters', revision, nodes: [], totals: { ...TOTALS, requests: 3 } });
  await answered(again);
  const later = (await started.api('/v1/status')).json<StatusResource>();
  assert.equal(later.totals.requests, 10);
  assert.equal(later.totals.failed, 2);
  const metrics = (await started.api('/metrics')).text;
  assert.match(metrics, /^rollcall_requests_total\{balancer=""\} 10$/m);
  assert.match(metrics, /^rollcall_failovers_total\{balancer="shop",node="n1",cause="refused"\} 4$/m);
  assert.match(metrics, /^rollcall_parked_requests 2$/m);
  assert.match(metrics, /^rollcall_node_ready\{node="n1",balancer="shop"\} 1$/m);
  assert.match(metrics, /^rollcall_nodes\{liveness="down"\} 0$/m);
  assert.match(metrics, /^rollcall_node_requests_total\{node="n1",balancer="shop"\} 7$/m);

  /** Messages are handled in order, so all messages before an answer have been handled. */
  async function answered(client: TestSocket): Promise<void> {
    const explained = started.api('/v1/explain', { method: 'POST', body: {} });
    const { id } = await client.next('ask');
    client.send({
      type: 'answer',
      id,
      answer: { type: 'explain', outcome: 'not-found', because: 'x', candidates: [] },
    });
    await explained;
  }
});

test('explain sends a question to a worker and returns its answer', async () => {
  const started = await coordinator();
  const body = { host: 'a.test', target: '/shop', cookie: 'rc_route=x.n1' };
  const without = await started.api('/v1/explain', { method: 'POST', body });
  assert.deepEqual([without.status, without.json<{ code: string }>().code], [503, 'worker-unavailable']);
  const socket = await worker(started);
  await socket.next('commit');
  const asked = started.api('/v1/explain', { method: 'POST', body });
  const { id, question } = await socket.next('ask');
  assert.deepEqual(question, { type: 'explain', ...body });
  const answer: ExplainAnswer = {
    type: 'explain',
    outcome: 'unavailable',
    because: 'no node is registered',
    candidates: [],
  };
  socket.send({ type: 'answer', id, answer });
  assert.deepEqual((await asked).json(), answer);
});

test('past decisions of all workers are merged, and a request that no worker keeps is 404 with what they keep', async () => {
  const started = await coordinator();
  const none = await started.api('/v1/decisions/abc');
  assert.deepEqual([none.status, none.json<{ code: string }>().code], [503, 'worker-unavailable']);
  const workers = [await worker(started, 'w0'), await worker(started, 'w1')];
  for (const socket of workers) await socket.next('commit');
  const decision: PastDecision = {
    requestId: 'abc',
    atUnixMs: 1_800_000_000_000,
    method: 'GET',
    host: 'a.test',
    path: '/cart',
    result: 'sticky',
    because: 'its session lives there',
    attempts: [{ node: parseNodeId('n1')!, outcome: 'answered', afterMs: 3 }],
    waitedMs: 0,
    status: 200,
    upstreamMs: 3,
    durationMs: 4,
  };
  const answer = async (decisions: readonly (readonly PastDecision[])[]): Promise<unknown[]> =>
    Promise.all(
      workers.map(async (socket, i) => {
        const { id, question } = await socket.next('ask');
        const kept = { worker: `w${i}`, decisions: decisions[i]!, kept: 10_000, sinceUnixMs: 1_799_999_990_000 };
        socket.send({ type: 'answer', id, answer: { type: 'past-decisions', ...kept } });
        return question;
      }),
    );
  const one = started.api('/v1/decisions/abc');
  const questions = await answer([[], [decision]]);
  assert.deepEqual(questions[0], { type: 'past-decisions', requestId: 'abc', limit: 1 });
  assert.deepEqual((await one).json(), { decision, worker: 'w1' });

  const later = { ...decision, requestId: 'later', atUnixMs: decision.atUnixMs + 1 };
  const list = started.api('/v1/decisions?status=5xx&limit=2');
  const [question] = await answer([[decision], [later, decision]]);
  assert.deepEqual(question, { type: 'past-decisions', status: 5, limit: 2 });
  const { decisions } = (await list).json<PastDecisionsResource>();
  assert.deepEqual(
    decisions.map((found) => [found.decision.requestId, found.worker]),
    [
      ['later', 'w1'],
      ['abc', 'w0'],
    ],
  );

  const missing = started.api('/v1/decisions/xyz');
  await answer([[], []]);
  const { status, json } = await missing;
  assert.equal(status, 404);
  assert.match(
    json<{ detail: string }>().detail,
    /keeps request xyz: worker w0 keeps 10000 requests, which go back .*; worker w1 keeps 10000/,
  );
  for (const query of ['limit=0', 'limit=1001', 'status=6xx', 'node=nobody', 'balancer=none', 'other=1']) {
    const refused = await started.api(`/v1/decisions?${query}`);
    assert.ok([400, 404].includes(refused.status), query);
  }
});

test('a worker gets the contexts of joining nodes, with its snapshot and as changes', async () => {
  const started = await coordinator();
  const dead = await startTestNode();
  await dead.close();
  const join = (id: string) =>
    started.api(`/v1/nodes/${id}`, {
      method: 'PUT',
      body: {
        balancer: id,
        url: dead.url.replace('127.0.0.1', id === 'n1' ? '127.0.0.1' : '127.0.0.2'),
        contexts: [`/${id}`],
      },
    });
  await join('n1');
  const socket = await worker(started);
  const { joining } = await socket.next('commit');
  assert.match(JSON.stringify(joining), /"path":"\/n1"/);
  await join('n2');
  const waits = 'context /n2 of balancer n2 waits for node n2, which is joining';
  while (!JSON.stringify((await socket.next('changes'))['changes']).includes(waits));
});

test('a worker that violates the protocol is disconnected, and the others are not', async () => {
  const started = await coordinator();
  const good = await worker(started, 'good');
  await good.next('commit');
  const silent = await feed(started);
  silent.send({ type: 'applied', revision: 1 });
  await silent.closed;
  const bad = await worker(started, 'bad');
  bad.send('{"type":"counters","totals":5}');
  await bad.closed;
  await addNode(started, 'n1');
  await good.next('changes');
});

for (const feedVersion of [0, 2, 99])
  test(`a worker of feed version ${feedVersion} is refused with its reason and shown, until it has the version of the coordinator`, async () => {
    const started = await coordinator();
    const refusals = async (): Promise<number> =>
      Number(
        /rollcall_refusals_total\{code="unsupported-version"\} (\d+)/.exec((await started.api('/metrics')).text)?.[1],
      );
    const status = async (): Promise<StatusResource> => (await started.api('/v1/status')).json<StatusResource>();
    for (let attempt = 0; attempt < 3; attempt++) {
      const socket = await feed(started);
      socket.send({ type: 'hello', worker: 'w0', pid: 1, version: '9', feedVersion });
      assert.equal((await socket.next('hello'))['feedVersion'], 1);
      // Its other messages are ignored.
      socket.send({ type: 'counters', revision: 0, nodes: [], totals: TOTALS });
      const { code, reason } = await socket.closed;
      assert.equal(code, 4426);
      assert.match(
        reason,
        new RegExp(`worker w0 \\(version 9\\) speaks feed version ${feedVersion}, this coordinator 1`),
      );
    }
    assert.equal(await refusals(), 1, 'one line for all attempts');
    const { workers, advice, totals } = await status();
    assert.deepEqual(
      workers.map(({ worker, version, isCurrent, refused }) => [worker, version, isCurrent, refused !== undefined]),
      [['w0', '9', false, true]],
    );
    assert.equal(totals.requests, 0);
    assert.ok(
      advice.some((sentence) => sentence.includes(`speaks feed version ${feedVersion}`)),
      advice.join('\n'),
    );

    const socket = await worker(started);
    await socket.next('commit');
    const [row] = (await status()).workers;
    assert.deepEqual([row?.version, row?.refused], ['1', undefined]);
  });

test('additions of a newer worker of this version are skipped', async () => {
  const started = await coordinator();
  const socket = await worker(started);
  await socket.next('commit');
  socket.send({ type: 'weather', sun: true });
  await addNode(started, 'n1');
  await socket.next('changes');
});

test('a worker that connects twice is served on its newest connection', async () => {
  const started = await coordinator();
  const first = await worker(started);
  await first.next('commit');
  const second = await worker(started);
  await second.next('commit');
  await first.closed;
  const status = (await started.api('/v1/status')).json<StatusResource>();
  assert.equal(status.workers.length, 1);
});

test('a snapshot of many nodes is sent in parts of a hundred', async () => {
  const started = await startTestCoordinator({ nodeAllow: ['127.0.0.0/8'] });
  closers.push(() => started.close());
  const node = await startTestNode();
  closers.push(() => node.close());
  const body = { balancer: 'shop', url: node.url };
  const ids = Array.from({ length: 101 }, (_, i) => `n${i}`);
  await Promise.all(ids.map((id) => started.api(`/v1/nodes/${id}`, { method: 'PUT', body })));
  const socket = await worker(started);
  const parts = [await socket.next('snapshot'), await socket.next('snapshot')];
  assert.deepEqual(
    parts.map((part) => [part['part'], part['parts'], (part['nodes'] as unknown[]).length]),
    [
      [0, 2, 100],
      [1, 2, 1],
    ],
  );
  await socket.next('commit');
});

test('a count of sessions that exceeds the count of each worker is sent to all workers', async () => {
  const started = await coordinator();
  await addNode(started, 'n1');
  const [one, two] = [await worker(started, 'w1', 1), await worker(started, 'w2', 2)];
  const { nodes } = (await one.next('snapshot')) as TestMessage & { nodes: { index: number }[] };
  const tell = (socket: TestSocket, hashes: string): void =>
    socket.send({
      type: 'sessions',
      nodes: [{ id: 'n1', level: 0, partMs: 112_500, partEndsInMs: 9, seen: [[0, hashes]] }],
    });
  tell(one, 'AAAAAAAABBBBBBBB');
  tell(two, 'BBBBBBBBCCCCCCCC');
  for (const socket of [one, two])
    assert.deepEqual((await socket.next('loads'))['loads'], [[nodes[0]!.index, -1, -1, 3]]);
  const node = (await started.api('/v1/nodes/n1')).json<NodeResource>();
  assert.deepEqual([node.sessions, node.sessionsFrom], [3, 'workers']);
  const three = await worker(started, 'w3', 3);
  assert.deepEqual((await three.next('loads'))['loads'], [[nodes[0]!.index, -1, -1, 3]]);
});

test('reports of in-flight and service time are forwarded once; absent numbers are not', async () => {
  const started = await coordinator();
  const node = await startTestNode();
  closers.push(() => node.close());
  const agent = await TestSocket.open(`${started.coordinator.agentsUrl}${AGENT_PATH}`, AGENT_SUBPROTOCOL);
  closers.push(() => agent.terminate());
  agent.send({ type: 'register', node: { id: 'n1', balancer: 'shop', url: node.url } });
  await agent.next('registered');
  const socket = await worker(started);
  await socket.next('commit');
  const { index } = [...started.coordinator.registry.nodes()][0]!;
  agent.send({ type: 'heartbeat', load: 0.25, inFlight: 3, serviceMs: 12.5 });
  assert.deepEqual((await socket.next('loads'))['loads'], [[index, 0.25, -1, -1, 3, 12.5]]);
  socket.send({
    type: 'sessions',
    nodes: [{ id: 'n1', level: 0, partMs: 112_500, partEndsInMs: 9, seen: [[0, 'AAAAAAAA']] }],
  });
  assert.deepEqual((await socket.next('loads'))['loads'], [[index, -1, -1, 1]]);
});

test('each worker receives its share of the requests: an equal one at first, then the forwarded one', async () => {
  const started = await coordinator();
  await addNode(started, 'n1');
  const sockets = [await worker(started, 'w1', 1), await worker(started, 'w2', 2)];
  const forwarded = (socket: TestSocket, requests: number): void =>
    socket.send({ type: 'counters', revision: 1, nodes: [{ id: 'n1', requests }], totals: TOTALS });
  const shares = async (socket: TestSocket): Promise<number> => {
    const [[balancer, share]] = (await socket.next('shares'))['shares'] as [[string, number]];
    assert.equal(balancer, 'shop');
    return share;
  };
  for (const socket of sockets) forwarded(socket, 1_000_000);
  for (const socket of sockets) assert.equal(await shares(socket), 0.5, 'earlier requests are not of the last seconds');
  forwarded(sockets[0]!, 1_003_000);
  forwarded(sockets[1]!, 1_001_000);
  assert.ok(Math.abs((await shares(sockets[0]!)) - 0.75) < 0.01);
  assert.ok(Math.abs((await shares(sockets[1]!)) - 0.25) < 0.01);
  sockets[1]!.socket.close(1000);
  assert.ok((await shares(sockets[0]!)) > 0.99, 'a worker that has ended has no share');
});

test('a snapshot that is larger than the send buffer reaches a worker that reads slowly', async () => {
  const started = await coordinator();
  const { registry } = started.coordinator;
  const nodes = 1_800;
  for (let i = 0; i < nodes; i++) {
    const id = parseNodeId(`n${i}`)!;
    const contexts = Array.from({ length: 16 }, (_, c) => ({ path: parseContextPath(`/${c}-`.padEnd(256, 'p'))! }));
    const hosts = Array.from({ length: 16 }, (_, h) => parseHostPattern(`h${h}.${'a.'.repeat(122)}a`)!);
    const url = parseNodeUrl(`http://127.0.0.1:${10_000 + i}`)!;
    const rest = { weight: 1, loadHeader: false, meta: {}, instance: 'a'.repeat(32) };
    const node = { id, balancer: parseBalancerName('b')!, url, route: parseRoute(id)!, contexts, hosts, ...rest };
    const nowMs = performance.now();
    registry.apply({ type: 'register', node, connection: i + 1, owner: `t${i}`, kind: 'static' }, nowMs);
    registry.apply({ type: 'reachable', id, connection: i + 1, isReachable: true }, nowMs);
  }
  const socket = await feed(started);
  socket.socket.pause();
  socket.send({ type: 'hello', worker: 'w0', pid: 1, version: '1' });
  assert.equal(registry.counts().up, nodes);
  while (
    (await started.api('/v1/events'))
      .json<{ events: { type: string }[] }>()
      .events.every(({ type }) => type !== 'worker')
  )
    await new Promise((resolve) => setTimeout(resolve, 20));
  // A change during the snapshot is sent after it.
  await started.api('/v1/nodes/n7', { method: 'DELETE', body: { force: true } });
  socket.socket.resume();
  const { revision } = await socket.next('commit');
  let read = 0;
  for (let part = 0, parts = 1; part < parts; part++) {
    const message = await socket.next('snapshot');
    parts = Number(message['parts']);
    read += (message['nodes'] as unknown[]).length;
  }
  assert.equal(read, nodes);
  const changes = await socket.next('changes');
  assert.ok(Number(changes['revision']) > Number(revision));
});
