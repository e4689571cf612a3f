import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LATENCY_BOUNDS_MS, latencyBucket } from '@rollcall/feed';
import {
  type NodeId,
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
  type WritePreview,
} from '@rollcall/protocol';
import type { Command } from '../commands.ts';
import { Registry } from '../registry.ts';
import type { SessionsEnd } from './disruption-preview.ts';

const MOVE: SessionsEnd = { kind: 'move' };

/** Nodes of balancer `shop` with the same load, and a worker that reports requests and latencies each second. */
class Cluster {
  readonly registry = new Registry({ startedAtMs: 0 });
  nowMs = 0;
  readonly #counts = new Map<NodeId, { requests: number; buckets: number[] }>();

  constructor(ids: readonly string[], load: number | undefined, balancer = 'shop') {
    this.apply({ type: 'worker-joined', worker: 'w' });
    for (const id of ids) this.add(id, load, balancer);
  }

  add(name: string, load: number | undefined, balancer: string): void {
    const id = parseNodeId(name)!;
    const connection = this.#counts.size + 1;
    const node = {
      id,
      balancer: parseBalancerName(balancer)!,
      url: parseNodeUrl(`http://10.0.0.${connection}:3000`)!,
      route: parseRoute(name)!,
      contexts: [{ path: parseContextPath(balancer === 'shop' ? '/' : `/${balancer}`)! }],
      hosts: [parseHostPattern('*')!],
      weight: 1,
      loadHeader: false,
      meta: {},
      incarnation: 1,
      instance: 'a'.repeat(32),
    };
    this.apply({ type: 'register', connection, owner: 'join', kind: 'agent', node });
    this.apply({ type: 'reachable', id, connection, isReachable: true });
    this.apply({ type: 'heartbeat', id, connection, sessions: 10, ...(load !== undefined && { load }) });
    this.#counts.set(id, { requests: 0, buckets: new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0) });
  }

  /** Two minutes with `perSecond` requests a second at each node, each answered after `latencyMs`. */
  traffic(perSecond: number, latencyMs: number): this {
    for (let second = 0; second < 120; second++) {
      this.nowMs += 1_000;
      const nodes = [...this.#counts].map(([id, counts], i) => {
        this.apply({ type: 'heartbeat', id, connection: i + 1 });
        counts.requests += perSecond;
        counts.buckets[latencyBucket(latencyMs)]! += perSecond;
        return {
          id,
          requests: counts.requests,
          inFlight: 0,
          tunnels: 0,
          parked: 0,
          failures: 0,
          serverErrors: 0,
          newSessions: 0,
          activeSessions: 0,
          sessionsSeenOnce: 0,
          bytesToNode: 0,
          bytesFromNode: 0,
          latencyMs,
          isEjected: false,
          answers: { statusClasses: [], latencyBuckets: [...counts.buckets], latencySumMs: 0 },
        };
      });
      this.apply({ type: 'observe', worker: 'w', revision: 0, nodes });
    }
    return this;
  }

  apply(command: Command): void {
    const outcome = this.registry.apply(command, this.nowMs);
    assert.ok(!('type' in outcome), JSON.stringify(outcome));
  }

  preview(lost: readonly string[], end = MOVE): WritePreview {
    const preview = this.registry.preview({ lost: new Set(lost.map((id) => parseNodeId(id)!)) }, end);
    assert.ok(preview !== undefined);
    return preview;
  }
}

test('the preview names sessions, the other nodes, their use and p99 before and after', () => {
  const cluster = new Cluster(['a', 'b', 'c'], 0.4).traffic(20, 40);
  const { before, after, carriedBy, sessions, sentence } = cluster.preview(['a'], {
    kind: 'stay',
    deadlineMs: 900_000,
  });
  assert.deepEqual([sessions, carriedBy, before?.utilisation, after?.utilisation], [10, ['b', 'c'], 0.4, 0.6]);
  assert.equal(before?.p99Ms, 50);
  // Service 20 ms: the p99 of M/M/1 goes from 4.6 × 20 / 0.6 = 153 ms to 4.6 × 20 / 0.4 = 230 ms.
  assert.equal(after?.p99Ms, 130);
  assert.equal(
    sentence,
    '10 sessions stay until they end, at most 15m; the other 2 nodes go from 40 % to 60 % busy, p99 about 130 ms, now 50 ms',
  );
});

test('the preview names the broken budget, and other nodes that cannot do the work', () => {
  const cluster = new Cluster(['a', 'b', 'c'], 0.7).traffic(20, 40);
  const { after, isSaturated, sentence } = cluster.preview(['a']);
  assert.deepEqual([after, isSaturated], [{ utilisation: 1.05 }, true]);
  assert.match(sentence, /^10 sessions move to other nodes; .* from 70 % to 105 % busy: they cannot do this work$/);
  const all = cluster.preview(['a', 'b', 'c']);
  assert.deepEqual([all.carriedBy, all.budget, all.after], [[], { minEligible: 1, eligible: 0 }, undefined]);
  assert.match(all.sentence, /no other node takes its work$/);
});

test('without enough requests, or without loads, the preview states that there is no estimate', () => {
  assert.match(new Cluster(['a', 'b'], 0.4).preview(['a']).sentence, /too few requests come to estimate/);
  const silent = new Cluster(['a', 'b'], undefined).traffic(20, 40).preview(['a']);
  assert.match(silent.sentence, /the other nodes report no load/);
  assert.equal(silent.after, undefined);
});

test('standby, draining and gone nodes carry nothing, and a gone node has no preview', () => {
  const cluster = new Cluster(['a', 'b', 'c', 'd', 'e'], 0.2).traffic(20, 5);
  const id = (name: string): NodeId => parseNodeId(name)!;
  cluster.apply({ type: 'patch-node', id: id('c'), standby: true, by: 'eve' });
  cluster.apply({ type: 'operator-status', target: { type: 'node', id: id('d') }, status: 'draining', by: 'eve' });
  cluster.apply({ type: 'leave', id: id('e'), connection: 5 });
  assert.deepEqual(cluster.preview(['a']).carriedBy, ['b']);
  assert.equal(cluster.registry.preview({ lost: new Set([id('e')]) }, MOVE), undefined);
  assert.equal(cluster.registry.preview({ lost: new Set() }, MOVE), undefined);
});

test('of several balancers the one whose other nodes are the busiest is reported, by name', () => {
  const cluster = new Cluster(['a', 'b'], 0.1);
  cluster.add('x', 0.4, 'blog');
  cluster.add('y', 0.4, 'blog');
  cluster.traffic(20, 10);
  const { sentence, after } = cluster.preview(['a', 'x']);
  assert.equal(after?.utilisation, 0.8);
  assert.match(
    sentence,
    /^balancer blog: 10 sessions move to other nodes; the other node goes from 40 % to 80 % busy, /,
  );
});
