/** Problems of nodes, from counters of workers and requests of operators. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeCounters } from '@rollcall/feed';
import { type ClusterProblem, type NodeId, parseNodeId } from '@rollcall/protocol';
import type { Command } from '../commands.ts';
import { registerCommand } from '../registration.fixture.ts';
import { Registry } from '../registry.ts';

const IDS = ['n1', 'n2', 'n3'].map((name) => parseNodeId(name)!) as [NodeId, NodeId, NodeId];
const [N1, N2] = IDS;
const HOUR_MS = 3_600_000;
const NO_COUNTS = {
  inFlight: 0,
  tunnels: 0,
  requests: 0,
  failures: 0,
  serverErrors: 0,
  newSessions: 0,
  activeSessions: 0,
  sessionsSeenOnce: 0,
  bytesToNode: 0,
  bytesFromNode: 0,
  latencyMs: 5,
  isEjected: false,
  parked: 0,
} satisfies Omit<NodeCounters, 'id'>;

/** Three nodes of the balancer shop that are up, and a worker. */
class Cluster {
  readonly registry = new Registry({ startedAtMs: 0, learningMs: 0 });
  nowMs = 0;
  readonly #counts = new Map<NodeId, NodeCounters>();

  constructor() {
    this.apply({ type: 'worker-joined', worker: 'w' });
    for (const [i, id] of IDS.entries()) {
      const fields = { id, url: `http://10.0.0.${i + 1}:80`, balancer: 'shop', connection: i + 1 };
      this.apply({ ...registerCommand(fields), kind: 'static', standing: 'operator' });
      this.apply({ type: 'reachable', id, connection: i + 1, isReachable: true });
    }
    this.observe({});
  }

  apply(command: Command): void {
    const outcome = this.registry.apply(command, this.nowMs);
    assert.ok(!('type' in outcome), JSON.stringify(outcome));
  }

  /** Adds to the counters of nodes; all get the other values. */
  observe(more: Record<string, Partial<NodeCounters>>): void {
    for (const id of IDS) {
      const { requests = 0, failures = 0, serverErrors = 0, ...rest } = more[id] ?? {};
      const before = this.#counts.get(id) ?? { ...NO_COUNTS, id };
      this.#counts.set(id, {
        ...before,
        ...rest,
        requests: before.requests + requests,
        failures: before.failures + failures,
        serverErrors: before.serverErrors + serverErrors,
      });
    }
    this.apply({ type: 'observe', worker: 'w', revision: 0, nodes: [...this.#counts.values()] });
  }

  problems(): ClusterProblem[] {
    return this.registry.problems({ nowMs: this.nowMs, nowUnixMs: 1_800_000_000_000 + this.nowMs });
  }

  messages(): string[] {
    return this.problems().map(({ message }) => message);
  }
}

const GOOD = { n1: { requests: 50 }, n2: { requests: 50 }, n3: { requests: 50 } };

test('nodes that answer well have no problem', () => {
  const cluster = new Cluster();
  cluster.observe(GOOD);
  assert.deepEqual(cluster.problems(), []);
});

test('a node with errors is compared with the others', () => {
  const cluster = new Cluster();
  cluster.observe({ ...GOOD, n1: { requests: 50, serverErrors: 20, failures: 10 } });
  const [problem, ...others] = cluster.problems();
  assert.deepEqual(others, []);
  assert.deepEqual([problem?.kind, problem?.level, problem?.nodes], ['errors', 'harm', [N1]]);
  assert.equal(
    problem?.message,
    'node n1 of balancer shop answers 60 % of its requests with errors, the other nodes 0 %',
  );
  assert.equal(problem?.effect, 'its visitors get the errors');
  cluster.apply({ type: 'ejected', id: N1, reason: 'errors' });
  assert.match(cluster.problems()[0]!.effect!, /^new sessions go to other nodes/);
});

test('errors of all nodes are a problem of the balancer', () => {
  const cluster = new Cluster();
  const bad = { requests: 50, serverErrors: 10 };
  cluster.observe({ n1: bad, n2: bad, n3: bad });
  assert.deepEqual(cluster.messages(), ['balancer shop answers 20 % of its requests with errors, its nodes alike']);
});

test('few requests, and few errors, are no problem', () => {
  const cluster = new Cluster();
  cluster.observe({ ...GOOD, n1: { requests: 4, serverErrors: 4 } });
  cluster.observe({ n2: { requests: 100, serverErrors: 2 } });
  assert.deepEqual(cluster.messages(), []);
});

test('a node that takes many times as long as the others is slow', () => {
  const cluster = new Cluster();
  cluster.observe({ ...GOOD, n2: { requests: 50, latencyMs: 600 } });
  const [problem] = cluster.problems();
  assert.deepEqual([problem?.kind, problem?.nodes], ['slow', [N2]]);
  assert.equal(problem?.message, 'node n2 of balancer shop takes 600 ms for an answer, the other nodes about 5.0 ms');
  cluster.observe({ n2: { latencyMs: 240 } });
  assert.deepEqual(cluster.messages(), [], 'not slow for people');
});

test('nodes that are equally slow are no problem', () => {
  const cluster = new Cluster();
  const slow = { requests: 50, latencyMs: 900 };
  cluster.observe({ n1: slow, n2: slow, n3: slow });
  assert.deepEqual(cluster.messages(), []);
});

test('a drain is planned work, then forgotten after an hour; with a time limit it is not', () => {
  const cluster = new Cluster();
  const drain = { type: 'operator-status', status: 'draining', by: 'ann', reason: 'kernel' } as const;
  cluster.apply({ ...drain, target: { type: 'node', id: N1 } });
  assert.deepEqual(
    cluster.problems().map(({ kind, level }) => [kind, level]),
    [['draining', 'planned']],
  );
  assert.match(cluster.messages()[0]!, /^node n1 of balancer shop is drain(?:ing|ed) by ann \(kernel\): /);
  cluster.nowMs = HOUR_MS;
  assert.deepEqual(cluster.messages(), ['node n1 of balancer shop is draining by ann (kernel) for 1h00m']);
  assert.equal(cluster.problems()[0]?.level, 'risk');
  cluster.apply({ ...drain, target: { type: 'node', id: N1 }, forMs: 2 * HOUR_MS });
  cluster.nowMs = 2 * HOUR_MS;
  assert.equal(cluster.problems()[0]?.level, 'planned');
});
