import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type MetricScale,
  type NodeExplanation,
  type NodeId,
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import type { Command, HeartbeatCommand } from '../commands.ts';
import { Registry } from '../registry.ts';

const SHOP = parseBalancerName('shop')!;
const LIMIT: MetricScale = { capacity: 1, weight: 1, isLimit: true };

/** Nodes a, b, c of one balancer, and a worker. Each round advances time by a second. */
class Cluster {
  readonly registry = new Registry({ startedAtMs: 0 });
  nowMs = 0;
  #requests = new Map<NodeId, number>();
  #errors = new Map<NodeId, number>();

  constructor() {
    for (const [connection, id] of ['a', 'b', 'c'].entries()) this.#add(parseNodeId(id)!, connection + 1);
    this.apply({ type: 'worker-joined', worker: 'w' });
    this.round({});
  }

  apply(command: Command): void {
    const outcome = this.registry.apply(command, this.nowMs);
    assert.ok(!('type' in outcome), JSON.stringify(outcome));
  }

  tell(id: string, numbers: Partial<HeartbeatCommand>): void {
    const connection = ['a', 'b', 'c'].indexOf(id) + 1;
    this.apply({ type: 'heartbeat', id: parseNodeId(id)!, connection, ...numbers });
  }

  /** The worker forwards so many requests to each in a second. */
  round(
    requests: Readonly<Record<string, number>>,
    isEjected: readonly string[] = [],
    errors: Readonly<Record<string, number>> = {},
  ): void {
    this.nowMs += 1_000;
    for (const id of ['a', 'b', 'c']) this.tell(id, {});
    const nodes = ['a', 'b', 'c'].map((name) => {
      const id = parseNodeId(name)!;
      this.#requests.set(id, (this.#requests.get(id) ?? 0) + (requests[name] ?? 0));
      this.#errors.set(id, (this.#errors.get(id) ?? 0) + (errors[name] ?? 0));
      return {
        id,
        requests: this.#requests.get(id)!,
        inFlight: 0,
        tunnels: 0,
        parked: 0,
        failures: 0,
        serverErrors: this.#errors.get(id)!,
        newSessions: 0,
        activeSessions: 0,
        sessionsSeenOnce: 0,
        bytesToNode: 0,
        bytesFromNode: 0,
        latencyMs: -1,
        isEjected: isEjected.includes(name),
      };
    });
    this.apply({ type: 'observe', worker: 'w', revision: 0, nodes });
  }

  explain(id: string): NodeExplanation {
    return this.registry.explainNode(parseNodeId(id)!, { nowMs: this.nowMs, nowUnixMs: 1_800_000_000_000 })!;
  }

  #add(id: NodeId, connection: number): void {
    this.apply({
      type: 'register',
      connection,
      owner: 'join',
      kind: 'agent',
      node: {
        id,
        balancer: SHOP,
        url: parseNodeUrl(`http://10.0.0.${connection}:3000`)!,
        route: parseRoute(id)!,
        contexts: [{ path: parseContextPath('/')! }],
        hosts: [parseHostPattern('*')!],
        weight: 1,
        loadHeader: false,
        meta: {},
        incarnation: 1,
        instance: 'a'.repeat(32),
      },
    });
    this.apply({ type: 'reachable', id, connection, isReachable: true });
  }
}

void test('a node that is not known has no explanation', () => {
  assert.equal(new Cluster().registry.explainNode(parseNodeId('x')!, { nowMs: 0, nowUnixMs: 0 }), undefined);
});

void test('each metric has value, scale, part and history, and the one that determines the load is marked', () => {
  const cluster = new Cluster();
  const scales = {
    cpu: LIMIT,
    inFlight: { capacity: 64, weight: 1, isLimit: true, isSoft: true },
    queue: { capacity: 200, weight: 2 },
    latency: { capacity: 1_000, weight: 0, unit: 'ms' },
  };
  cluster.tell('a', {
    load: 0.2,
    metrics: { cpu: 0.2, inFlight: 0.1, queue: 0, latency: 0.05 },
    values: { cpu: 0.2, inFlight: 7, queue: 0, latency: 50 },
    scales,
  });
  cluster.nowMs += 1_000;
  cluster.tell('a', {
    load: 0.6,
    inFlight: 7,
    serviceMs: 12.5,
    metrics: { cpu: 0.6, inFlight: 0.1, queue: 0.5, latency: 0.05 },
    values: { cpu: 0.6, inFlight: 7, queue: 100, latency: 50 },
  });
  cluster.nowMs += 400;
  const { metrics, because, load, meanLoad, loadFactor, toldMs, inFlight, serviceMs } = cluster.explain('a');
  assert.deepEqual([load, loadFactor, toldMs, inFlight, serviceMs], [0.6, 53, 400, 7, 12.5]);
  assert.equal(Math.round(meanLoad! * 1_000), 467);
  const [cpu, soft, queue, latency] = metrics;
  assert.deepEqual(
    { ...cpu, mean: Math.round(cpu!.mean * 1_000) },
    { name: 'cpu', value: 0.6, capacity: 1, weight: 1, role: 'limit', part: 0.6, mean: 467, isDecisive: true },
  );
  assert.deepEqual([soft?.isSoft, soft?.isDecisive, queue?.role, queue?.weight], [true, false, 'mean', 2]);
  assert.deepEqual([latency?.role, latency?.unit, latency?.value], ['shown', 'ms', 50]);
  assert.ok(
    because.includes(
      'load 60 %, which is cpu at 60 %; over its last ten reports, the newest counting most, it is 47 %: load factor 53',
    ),
    because.join('\n'),
  );
  cluster.tell('a', { load: 0.5, metrics: { cpu: 0.1, queue: 0.5 }, values: { cpu: 0.1, queue: 100 } });
  assert.match(cluster.explain('a').because.join('\n'), /load 50 %, which is mostly queue at 100 of 200/);
});

void test('a third-party agent that reports only a load, or nothing, is explained as far as possible', () => {
  const cluster = new Cluster();
  cluster.tell('a', { load: 0.7, metrics: { disk: 0.7, cpu: 3 } });
  const { metrics, because } = cluster.explain('a');
  assert.deepEqual(
    metrics.map(({ name, role, part }) => [name, role, part]),
    [
      ['disk', 'unknown', 0.7],
      ['cpu', 'unknown', 1],
    ],
  );
  assert.ok(because.includes('load 70 %: load factor 30'), because.join('\n'));
  const silent = cluster.explain('b');
  assert.deepEqual([silent.load, silent.loadFactor, silent.toldMs], [undefined, undefined, -1]);
  assert.match(silent.because.join('\n'), /it has reported no load: the proxies place by their own measurements/);
});

void test('names of inherited object properties are no values', () => {
  const cluster = new Cluster();
  cluster.tell('a', { load: 0, metrics: { toString: 0.1, valueOf: 0 } });
  assert.deepEqual(cluster.explain('a').metrics[0], {
    name: 'toString',
    role: 'unknown',
    part: 0.1,
    mean: 0.1,
    isDecisive: false,
  });
});

void test('shares are compared with fair ones, with reasons', () => {
  const cluster = new Cluster();
  cluster.nowMs = 60_000;
  cluster.tell('a', { load: 0.2, serviceMs: 5, sessions: 10 });
  cluster.tell('b', { load: 0.8, serviceMs: 20, sessions: 10 });
  cluster.tell('c', { load: 0.8, serviceMs: 20, sessions: 10 });
  assert.match(cluster.explain('a').because.join('\n'), /fewer than 5 requests a second/);
  for (let round = 0; round < 30; round += 1) cluster.round({ a: 60, b: 20, c: 20 });
  const a = cluster.explain('a');
  assert.ok(Math.abs(a.requests.share - 0.6) < 0.01 && Math.abs(a.requests.fairShare - 1 / 3) < 0.01);
  assert.ok(Math.abs(a.requests.count - 60) < 7, String(a.requests.count));
  assert.ok(a.because.includes('its fair share is 33 %: one of 3 nodes of the same weight'), a.because.join('\n'));
  assert.match(
    a.because.at(-1)!,
    /60 % of the requests .* 33 % of the sessions: more than its fair share, because its load is 20 % and that of the others 80 %; a request takes it 5 ms and the others 20 ms$/,
  );
  const b = cluster.explain('b');
  assert.match(b.because.at(-1)!, /20 % of the requests .*: less than its fair share, because its load is 80 %/);
  cluster.tell('a', { sessions: 100 });
  assert.match(cluster.explain('a').because.at(-1)!, /requests of a session go where the session is/);
});

void test('errors that the peers do not have, and an ejection in its words, are reasons for fewer requests', () => {
  const cluster = new Cluster();
  cluster.nowMs = 60_000;
  const reason = 'requests to it fail or answer with errors where the other nodes do not';
  for (let round = 0; round < 30; round += 1)
    cluster.round({ a: 10, b: 45, c: 45 }, [], { a: 6, c: round === 0 ? 1 : 0 });
  const before = cluster.explain('a').because;
  assert.ok(before.includes('it answers 60 % of its requests with errors; its peers 0 %'), before.join('\n'));
  assert.match(before.at(-1)!, /less than its fair share, because errors count against it/);
  assert.doesNotMatch(cluster.explain('c').because.join('\n'), /errors/);
  cluster.apply({ type: 'ejected', id: parseNodeId('a')!, reason });
  cluster.round({ b: 50, c: 50 }, ['a']);
  const during = cluster.explain('a').because;
  assert.equal(during[0], `w ejected it, because ${reason}: it keeps its sessions, and gets nothing else but a trial`);
  cluster.round({ a: 1, b: 50, c: 50 });
  const after = cluster.explain('a').because;
  assert.ok(
    after.includes(`it was ejected once in the last ten minutes, last 2 s ago, because ${reason}`),
    after.join('\n'),
  );
  assert.match(after.at(-1)!, /less than its fair share, because it gets no new sessions while it is ejected/);
});

void test('one sick peer does not change what a node is compared with', () => {
  const cluster = new Cluster();
  cluster.nowMs = 60_000;
  cluster.tell('a', { load: 0.2, serviceMs: 5 });
  cluster.tell('b', { load: 0.3, serviceMs: 6 });
  cluster.tell('c', { load: 0.9, serviceMs: 600 });
  for (let round = 0; round < 30; round += 1) cluster.round({ a: 60, b: 50, c: 2 });
  assert.doesNotMatch(cluster.explain('a').because.join('\n'), /303|the others 60 %/);
});

void test('a weight changes the fair share', () => {
  const cluster = new Cluster();
  cluster.apply({ type: 'patch-node', id: parseNodeId('a')!, weight: 2, by: 'admin' });
  cluster.nowMs = 60_000;
  for (let round = 0; round < 30; round += 1) cluster.round({ a: 50, b: 25, c: 25 });
  const { requests, because } = cluster.explain('a');
  assert.equal(requests.fairShare, 0.5);
  assert.ok(because.includes('its fair share is 50 %: weight 2 of 4'), because.join('\n'));
  assert.match(because.at(-1)!, /about its fair share$/);
});

void test('causes that keep sessions away come first: joining, draining, standby, ejection, silence, redirection, the end', () => {
  const first = (change: (cluster: Cluster) => void): string => {
    const cluster = new Cluster();
    change(cluster);
    return cluster.explain('a').because[0]!;
  };
  const id = parseNodeId('a')!;
  assert.match(
    first(() => {}),
    /^it registered 1 s ago: new nodes ramp up over about 20 s$/,
  );
  assert.match(
    first((cluster) =>
      cluster.apply({
        type: 'operator-status',
        target: { type: 'node', id },
        status: 'draining',
        by: 'eve',
        reason: 'deploy',
      }),
    ),
    /^it is draining by eve \(deploy\): it keeps its sessions and gets no new ones$/,
  );
  assert.match(
    first((cluster) => cluster.apply({ type: 'node-status', id, connection: 1, status: 'stopped' })),
    /^it is stopped by its own request: it gets no requests$/,
  );
  assert.match(
    first((cluster) => cluster.apply({ type: 'patch-node', id, standby: true, by: 'eve' })),
    /^it is standby: it gets new sessions only when no other node is eligible$/,
  );
  assert.match(
    first((cluster) => cluster.round({}, ['a'])),
    /^w ejected it: it keeps its sessions, and gets nothing else but a trial$/,
  );
  assert.match(
    first((cluster) => cluster.apply({ type: 'patch-node', id, redirectTo: parseNodeId('b')!, by: 'eve' })),
    /^its sessions are sent to b$/,
  );
  assert.match(
    first((cluster) => cluster.apply({ type: 'disconnect', id, connection: 1 })),
    /^it is suspect: its connection closed without leave; it keeps its sessions while it answers, and gets new ones only when no better node is there$/,
  );
  assert.match(
    first((cluster) => cluster.apply({ type: 'leave', id, connection: 1 })),
    /^it is gone: left by its own choice; it gets no requests$/,
  );
  assert.match(
    first((cluster) => cluster.apply({ type: 'heartbeat', id, connection: 1, ready: false })),
    /^it reports that it is not ready/,
  );
  const gone = new Cluster();
  gone.apply({ type: 'leave', id, connection: 1 });
  assert.equal(gone.explain('a').requests.fairShare, 0);
});

void test('the explanation of a gone node has nothing that is true of present nodes only', () => {
  const id = parseNodeId('a')!;
  const changes: readonly (readonly [what: string, change: (cluster: Cluster) => void])[] = [
    ['enabled', () => {}],
    [
      'draining by eve (deploy)',
      (cluster) =>
        cluster.apply({
          type: 'operator-status',
          target: { type: 'node', id },
          status: 'draining',
          by: 'eve',
          reason: 'deploy',
        }),
    ],
    ['enabled', (cluster) => cluster.apply({ type: 'node-status', id, connection: 1, status: 'draining' })],
    ['enabled', (cluster) => cluster.apply({ type: 'heartbeat', id, connection: 1, ready: false })],
    ['enabled', (cluster) => cluster.apply({ type: 'patch-node', id, standby: true, by: 'eve' })],
    ['enabled', (cluster) => cluster.apply({ type: 'patch-node', id, redirectTo: parseNodeId('b')!, by: 'eve' })],
    ['enabled', (cluster) => cluster.round({ a: 5, b: 5 }, ['a'])],
  ];
  for (const [what, change] of changes)
    for (const end of ['leave', 'then the change'] as const) {
      const cluster = new Cluster();
      if (end === 'leave') change(cluster);
      cluster.apply({ type: 'leave', id, connection: 1 });
      if (end !== 'leave' && what !== 'enabled') change(cluster);
      const gone = 'it is gone: left by its own choice; it gets no requests';
      const expected = what === 'enabled' ? [gone] : [gone, `if it registers again, it is ${what}`];
      assert.deepEqual(cluster.explain('a').because, expected, end);
    }
});

void test('a node without new work gets the requests of its sessions', () => {
  const cluster = new Cluster();
  cluster.apply({ type: 'patch-node', id: parseNodeId('a')!, standby: true, by: 'eve' });
  cluster.nowMs = 60_000;
  for (let round = 0; round < 30; round += 1) cluster.round({ a: 10, b: 45, c: 45 });
  const { because, loadFactor } = cluster.explain('a');
  assert.equal(loadFactor, 0);
  assert.match(because.at(-1)!, /10 % of the requests .*: the requests of its sessions$/);
});
