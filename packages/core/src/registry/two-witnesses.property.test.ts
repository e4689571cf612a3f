/** What must hold between the two witnesses: any order of heartbeats, closed connections and reports of two workers, over time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId, PortReport } from '@rollcall/protocol';
import {
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import fc from 'fast-check';
import type { Event } from './events.ts';
import { Registry } from './registry.ts';

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 300);
const NODES = [
  { id: parseNodeId('a1')!, kind: 'agent' },
  { id: parseNodeId('a2')!, kind: 'agent' },
  { id: parseNodeId('s1')!, kind: 'static' },
] as const;
const WORKERS = ['w1', 'w2'] as const;
const PORTS: readonly PortReport[] = ['unknown', 'answers', 'unresponsive', 'refused', 'given-up'];

type Step =
  | { readonly type: 'report'; readonly worker: string; readonly node: number; readonly port: PortReport }
  | { readonly type: 'beat' | 'close' | 'register' | 'leave'; readonly node: number }
  | { readonly type: 'join' | 'part'; readonly worker: string }
  | { readonly type: 'pass'; readonly ms: number };

const node = fc.integer({ min: 0, max: NODES.length - 1 });
const worker = fc.constantFrom(...WORKERS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('report' as const), worker, node, port: fc.constantFrom(...PORTS) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constantFrom('beat' as const, 'close' as const, 'register' as const), node }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('leave' as const), node }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('join' as const, 'part' as const), worker }) },
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.constantFrom(250, 2_000, 4_000, 21_000) }),
  },
);

/** A registry with three nodes of one context and two workers, and what the workers last reported. */
class Run {
  readonly registry = new Registry({ startedAtMs: 0 });
  readonly reports = new Map<string, Map<NodeId, PortReport>>();
  /** Last sign of life by either witness. */
  readonly #signs = new Map<NodeId, number>();
  #nowMs = 0;
  #connections = 0;

  constructor() {
    for (let i = 0; i < NODES.length; i++) this.take({ type: 'register', node: i });
    for (const name of WORKERS) this.take({ type: 'join', worker: name });
  }

  take(one: Step): void {
    switch (one.type) {
      case 'pass':
        for (const endMs = this.#nowMs + one.ms; this.#nowMs < endMs; ) {
          this.#nowMs += 250;
          this.#apply({ type: 'tick' });
        }
        // Long enough for what a worker that has left leaves open.
        if (one.ms >= 4_000) for (const { id } of NODES) this.#mustBeGivenUp(id);
        break;
      case 'join':
        this.reports.set(one.worker, new Map());
        this.#apply({ type: 'worker-joined', worker: one.worker });
        break;
      case 'part':
        this.reports.delete(one.worker);
        this.#apply({ type: 'worker-left', worker: one.worker });
        break;
      case 'report': {
        const { id } = NODES[one.node]!;
        const isThere = this.registry.node(id)?.liveness !== 'gone';
        const reports = this.reports.get(one.worker);
        if (isThere) reports?.set(id, one.port);
        if (isThere && reports && one.port === 'answers') this.#signs.set(id, this.#nowMs);
        this.#apply({ type: 'ports-seen', worker: one.worker, ports: [[id, one.port]] });
        if (reports) this.#mustBeGivenUp(id);
        break;
      }
      default:
        this.#node(one.type, one.node);
    }
  }

  #node(type: 'beat' | 'close' | 'register' | 'leave', index: number): void {
    const { id, kind } = NODES[index]!;
    const connection = this.registry.node(id)?.connection ?? 0;
    const isConnected = this.registry.node(id)?.isConnected === true;
    if (type === 'beat') {
      if (isConnected || kind === 'static') this.#signs.set(id, this.#nowMs);
      this.#apply({ type: 'heartbeat', id, connection });
    }
    if (type === 'leave') this.#apply({ type: 'leave', id, connection });
    else if (type === 'close') {
      this.#apply({ type: 'disconnect', id, connection });
      if (isConnected) this.#mustBeGivenUp(id);
    } else if (type === 'register') this.#register(id, kind);
  }

  #register(id: NodeId, kind: 'agent' | 'static'): void {
    this.#connections += 1;
    this.#signs.set(id, this.#nowMs);
    this.#apply({
      type: 'register',
      node: {
        id,
        balancer: parseBalancerName('shop')!,
        url: parseNodeUrl(`http://10.0.0.5:${id === 's1' ? 80 : 3_000 + Number(id.slice(1))}`)!,
        route: parseRoute(id)!,
        contexts: [{ path: parseContextPath('/')! }],
        hosts: [parseHostPattern('*')!],
        weight: 1,
        loadHeader: false,
        meta: {},
        incarnation: 1,
        instance: 'a',
      },
      connection: this.#connections,
      owner: 'join',
      kind,
    });
    this.#apply({ type: 'reachable', id, connection: this.#connections, isReachable: true });
    const liveness = this.registry.node(id)?.liveness;
    if (kind === 'agent') assert.equal(liveness, 'up', `${id} has registered and is ${liveness}`);
  }

  #apply(command: Parameters<Registry['apply']>[0]): void {
    const outcome = this.registry.apply(command, this.#nowMs);
    if ('type' in outcome) return;
    for (const event of outcome) this.#check(event);
  }

  #check(event: Event): void {
    if (event.type !== 'gone' && event.type !== 'down') return;
    const { id, cause } = event;
    const ports = this.#portsOf(id);
    if (event.type === 'gone') for (const reports of this.reports.values()) reports.delete(id);
    if (cause === 'left') return;
    assert.ok(!ports.includes('answers'), `${id} answers a worker and is ${event.type} (${cause})`);
    assert.equal(event.type === 'down', id === 's1');
    if (cause === 'refused') assert.ok(ports.includes('refused'), `${id} is ${event.type}, and no worker was refused`);
    else {
      const silentMs = this.#nowMs - this.#signs.get(id)!;
      assert.ok(silentMs > 20_000, `${id} is ${event.type} after ${silentMs} ms without a sign of life`);
      assert.equal(event.silentMs, silentMs);
      const isAnyLive = NODES.some((other) => other.id !== id && this.#isLive(other.id));
      assert.ok(isAnyLive, `${id} is ${event.type}, and no other node is live`);
    }
  }

  /** A suspect node that refuses somewhere and answers nowhere is not there any more. */
  #mustBeGivenUp(id: NodeId): void {
    const ports = this.#portsOf(id);
    if (!ports.includes('refused') || ports.includes('answers')) return;
    assert.notEqual(this.registry.node(id)?.liveness, 'suspect', `${id} refuses, and is held`);
  }

  #isLive(id: NodeId): boolean {
    const ports = this.#portsOf(id);
    const liveness = this.registry.node(id)?.liveness;
    const isGivenUp = ports.length > 0 && ports.every((port) => port === 'given-up');
    return (liveness === 'up' && !isGivenUp) || (liveness === 'suspect' && ports.includes('answers'));
  }

  #portsOf(id: NodeId): PortReport[] {
    return [...this.reports.values()].map((reports) => reports.get(id) ?? 'unknown');
  }
}

void test('a node that answers a worker stays, a node that refuses is gone, and the last live node is held', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }), (steps) => {
      const run = new Run();
      for (const one of steps) run.take(one);
    }),
    { numRuns: RUNS },
  );
});
