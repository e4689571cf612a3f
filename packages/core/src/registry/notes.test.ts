/** Notes about a node, each with its cause and its end. Events with the reason that was given with them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeRegistration, NodeResource } from '@rollcall/protocol';
import {
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import type { StoredRecord } from '../store/store.ts';
import type { Command, OperatorStatusCommand, RegisterCommand } from './commands.ts';
import type { Event } from './events.ts';
import { Registry } from './registry.ts';

const NOW_UNIX_MS = 1_800_000_000_000;
const N1 = parseNodeId('n1')!;
const SHOP = parseBalancerName('shop')!;

type Registered = Partial<Omit<RegisterCommand, 'type' | 'node'>> & {
  readonly instance?: string;
  readonly node?: Partial<NodeRegistration>;
};

/** Node n1 with an agent, which is up, and a worker. Its heartbeats come every second while time passes. */
class Cluster {
  registry = new Registry({ startedAtMs: 0 });
  nowMs = 0;
  /** False: no heartbeat of n1 comes. */
  isBeating = true;
  readonly #stored = new Map<string, StoredRecord>();
  #connection = 0;
  #last: Registered = {};

  constructor(first: Registered | 'none' = {}) {
    this.worker();
    if (first !== 'none') this.start(first);
  }

  apply(command: Command): readonly Event[] {
    const outcome = this.registry.apply(command, this.nowMs);
    assert.ok(!('type' in outcome), JSON.stringify(outcome));
    return outcome;
  }

  worker(): void {
    this.apply({ type: 'worker-joined', worker: 'w' });
  }

  register({ node = {}, instance = 'a', ...more }: Registered = {}, id = N1): readonly Event[] {
    if (id === N1) this.#last = { node, instance, ...more };
    this.#connection += 1;
    const incarnation = instance.charCodeAt(0);
    return this.apply({
      type: 'register',
      connection: this.#connection,
      owner: 'join',
      kind: 'agent',
      ...more,
      node: {
        id,
        balancer: SHOP,
        url: parseNodeUrl(`http://10.0.0.5:${id === N1 ? 3000 : 3001}`)!,
        route: parseRoute(id)!,
        contexts: [{ path: parseContextPath('/')! }],
        hosts: [parseHostPattern('*')!],
        weight: 1,
        loadHeader: false,
        meta: {},
        ...node,
        instance,
        incarnation,
      },
    });
  }

  reach(detail?: string): readonly Event[] {
    const isReachable = detail === undefined;
    const result = { isReachable, ...(detail !== undefined && { detail }) };
    return this.apply({ type: 'reachable', id: N1, connection: this.#connection, ...result });
  }

  /** A process registers and answers the probe. */
  start(registered: Registered = {}): void {
    this.register(registered);
    this.reach();
  }

  operator(status: OperatorStatusCommand['status'], more: Partial<OperatorStatusCommand> = {}): readonly Event[] {
    return this.apply({ type: 'operator-status', target: { type: 'node', id: N1 }, by: 'ann', status, ...more });
  }

  node(status: OperatorStatusCommand['status'], reason: string): void {
    this.apply({ type: 'node-status', id: N1, connection: this.#connection, status, reason });
  }

  disconnect(): void {
    this.apply({ type: 'disconnect', id: N1, connection: this.#connection });
  }

  leave(): void {
    this.apply({ type: 'leave', id: N1, connection: this.#connection });
  }

  port(port: 'answers' | 'unresponsive'): void {
    this.apply({ type: 'ports-seen', worker: 'w', ports: [[N1, port]] });
  }

  beat(ready = true): void {
    this.apply({ type: 'heartbeat', id: N1, connection: this.#connection, ready });
  }

  /** The worker reports sessions and requests in flight at n1, in the newest revision. */
  sessions(activeSessions: number, inFlight = 0): void {
    const { revision } = this.registry.snapshot(this.nowMs);
    const zero = { tunnels: 0, requests: 0, failures: 0, serverErrors: 0, newSessions: 0, sessionsSeenOnce: 0 };
    const rest = { bytesToNode: 0, bytesFromNode: 0, latencyMs: -1, isEjected: false, parked: 0 };
    const counters = { id: N1, inFlight, activeSessions, ...zero, ...rest };
    this.apply({ type: 'observe', worker: 'w', revision, nodes: [counters] });
  }

  /** The operator's drain in words. */
  drain(): string {
    const { isDone, sessionsLeft } = this.resource().drain!;
    return `${isDone ? 'over' : 'continues'}, ${sessionsLeft} session${sessionsLeft === 1 ? '' : 's'}`;
  }

  /** Seconds until the deadline in the feed. */
  deadlineS(): number | undefined {
    const { drainMs } = this.registry.snapshot(this.nowMs).nodes[0]!;
    return drainMs === undefined ? undefined : drainMs / 1_000;
  }

  pass(seconds: number): Event[] {
    const events: Event[] = [];
    for (let i = 0; i < seconds; i++) {
      this.nowMs += 1_000;
      if (this.isBeating) this.beat();
      events.push(...this.apply({ type: 'tick' }));
    }
    return events;
  }

  /** The coordinator starts again from its store, after as many seconds. */
  restart(afterS = 1): void {
    const { write, remove } = this.registry.takeRecords(this.unixMs());
    for (const key of remove) this.#stored.delete(key);
    for (const record of write) this.#stored.set(record.key, record);
    this.nowMs += afterS * 1_000;
    this.registry = new Registry({ startedAtMs: this.nowMs });
    this.apply({ type: 'restore', records: [...this.#stored.values()], nowUnixMs: this.unixMs() });
    this.worker();
  }

  /** The same process registers again. */
  reconnect(): void {
    this.register(this.#last);
  }

  unixMs(): number {
    return NOW_UNIX_MS + this.nowMs;
  }

  resource(): NodeResource {
    return this.registry.resource(N1, { nowMs: this.nowMs, nowUnixMs: this.unixMs() })!;
  }

  /** All notes of the resource. */
  notes(): string[] {
    const { liveness, livenessReason, isReady, wanted, reported, flapping, drain, warnings } = this.resource();
    return [
      ...(liveness === 'up' ? [] : [`${liveness}: ${livenessReason}`]),
      ...(liveness === 'up' && livenessReason !== undefined ? [`livenessReason ${livenessReason}`] : []),
      ...noteOf('wanted', wanted),
      ...noteOf('reported', reported),
      ...(drain && wanted.status === 'enabled' && reported.status === 'enabled' ? ['drain'] : []),
      ...(isReady ? [] : ['not ready']),
      ...(flapping ? ['flapping'] : []),
      ...warnings.map(({ code }) => code),
    ];
  }
}

function noteOf(side: string, { status, atUnixMs: _, untilUnixMs, deadlineAtUnixMs, ...said }: NodeResource['wanted']) {
  const more = { ...said, ...(untilUnixMs && { until: true }), ...(deadlineAtUnixMs && { deadline: true }) };
  return status === 'enabled' && Object.keys(more).length === 0 ? [] : [`${side} ${status} ${JSON.stringify(more)}`];
}

interface Row {
  readonly cause: string;
  readonly first?: Registered | 'none';
  readonly begins: (cluster: Cluster) => void;
  readonly notes: readonly string[];
  /** The same cause, seen later: after a restart of the coordinator, a reconnect, another process. */
  readonly stays?: readonly ((cluster: Cluster) => void)[];
  readonly ends: (cluster: Cluster) => void;
}

const afterRestart = (cluster: Cluster): void => {
  cluster.restart();
  cluster.reconnect();
};
const afterReconnect = (cluster: Cluster): void => {
  cluster.disconnect();
  cluster.reconnect();
};
const afterNewProcess = (cluster: Cluster): void => cluster.start({ instance: 'b' });
const afterReturn = (cluster: Cluster): void => {
  cluster.leave();
  cluster.start({ instance: 'c' });
};
const DRAINED = ['wanted draining {"reason":"kernel","by":"ann"}'];
const drained = (cluster: Cluster): void => void cluster.operator('draining', { reason: 'kernel' });

const ROWS: readonly Row[] = [
  {
    cause: 'an operator drains the node',
    begins: drained,
    notes: DRAINED,
    stays: [afterRestart, afterReconnect, afterNewProcess, afterReturn],
    ends: (cluster) => cluster.operator('enabled', { reason: 'back' }),
  },
  {
    cause: 'an operator stops the node for a time',
    begins: (cluster) => cluster.operator('stopped', { forMs: 60_000 }),
    notes: ['wanted stopped {"by":"ann","until":true}'],
    stays: [afterRestart, afterNewProcess],
    ends: (cluster) => cluster.pass(60),
  },
  {
    cause: 'the time of a status is over while the coordinator is down',
    begins: (cluster) => cluster.operator('draining', { reason: 'kernel', forMs: 5_000 }),
    notes: ['wanted draining {"reason":"kernel","by":"ann","until":true}'],
    ends: (cluster) => {
      cluster.restart(10);
      cluster.reconnect();
      cluster.pass(1);
    },
  },
  {
    cause: 'a drained node is enabled while it is absent',
    begins: (cluster) => {
      drained(cluster);
      cluster.leave();
    },
    notes: ['gone: left by its own choice', ...DRAINED],
    stays: [(cluster) => cluster.restart()],
    ends: (cluster) => {
      cluster.operator('enabled', { target: { type: 'balancer', name: SHOP }, reason: 'back' });
      cluster.start({ instance: 'b' });
    },
  },
  {
    cause: 'a drained node is removed, and another process has its id',
    begins: drained,
    notes: DRAINED,
    ends: (cluster) => {
      cluster.apply({ type: 'remove', id: N1, by: 'ann', reason: 'old' });
      cluster.start({ instance: 'b' });
    },
  },
  {
    cause: 'the node drains by its own request',
    begins: (cluster) => cluster.node('draining', 'SIGTERM'),
    notes: ['reported draining {"reason":"SIGTERM"}'],
    stays: [afterReconnect],
    ends: (cluster) => cluster.node('enabled', 'scale'),
  },
  {
    cause: 'the node drains, and another process registers',
    begins: (cluster) => cluster.node('draining', 'SIGTERM'),
    notes: ['reported draining {"reason":"SIGTERM"}'],
    ends: afterNewProcess,
  },
  {
    cause: 'its connection closes',
    begins: (cluster) => cluster.disconnect(),
    notes: ['suspect: its connection closed without leave'],
    ends: (cluster) => cluster.reconnect(),
  },
  {
    cause: 'no heartbeat comes',
    begins: (cluster) => {
      cluster.isBeating = false;
      cluster.pass(4);
    },
    notes: ['suspect: no heartbeat for 4 s'],
    ends: (cluster) => {
      cluster.isBeating = true;
      cluster.pass(1);
    },
  },
  {
    cause: 'another process has the id',
    begins: (cluster) => cluster.register({ instance: 'b' }),
    notes: ['suspect: a new process or address is being probed'],
    ends: (cluster) => cluster.reach(),
  },
  {
    cause: 'the coordinator cannot reach it',
    first: 'none',
    begins: (cluster) => {
      cluster.register();
      cluster.reach('connection refused');
    },
    notes: ['joining: the coordinator cannot reach it: connection refused'],
    ends: (cluster) => cluster.reach(),
  },
  {
    cause: 'the coordinator starts again',
    begins: (cluster) => cluster.restart(),
    notes: ['suspect: its agent has not connected since the coordinator started'],
    ends: (cluster) => cluster.reconnect(),
  },
  {
    cause: 'it leaves',
    begins: (cluster) => cluster.leave(),
    notes: ['gone: left by its own choice'],
    stays: [(cluster) => cluster.restart()],
    ends: afterNewProcess,
  },
  {
    cause: 'a member without an agent does not answer',
    first: { kind: 'static' },
    begins: (cluster) => cluster.port('unresponsive'),
    notes: ['suspect: it has not answered a worker for 0 s'],
    ends: (cluster) => cluster.port('answers'),
  },
  {
    cause: 'another balancer serves the context of a member that answers',
    first: 'none',
    begins: (cluster) => {
      cluster.register({ kind: 'static' });
      cluster.register({ node: { balancer: parseBalancerName('blog')! } }, parseNodeId('b1')!);
      cluster.apply({ type: 'reachable', id: N1, connection: 1, isReachable: true });
    },
    notes: [
      'joining: it answers, but another balancer serves its context: `/` on `*` is served by balancer blog (1 node); use --context /shop, --host shop.localhost, or --balancer blog',
    ],
    ends: (cluster) => {
      cluster.apply({ type: 'leave', id: parseNodeId('b1')!, connection: 2 });
      cluster.isBeating = false;
      cluster.pass(2);
    },
  },
  {
    cause: 'it reports that it is not ready',
    begins: (cluster) => cluster.beat(false),
    notes: ['not ready'],
    ends: (cluster) => cluster.beat(),
  },
  {
    cause: 'its sticky settings differ from those in force',
    first: { node: { sticky: { mode: 'suffix' } } },
    begins: (cluster) => {
      const patch = { sticky: { mode: 'insert' } } as const;
      cluster.apply({ type: 'balancer-settings', name: SHOP, source: 'operator', patch, by: 'ann' });
    },
    notes: ['balancer-settings-differ'],
    stays: [afterReconnect, afterRestart],
    ends: (cluster) => {
      const patch = { sticky: { mode: 'suffix' } } as const;
      cluster.apply({ type: 'balancer-settings', name: SHOP, source: 'operator', patch, by: 'ann' });
    },
  },
  {
    cause: 'its announced weight is above the bound',
    begins: (cluster) => {
      cluster.register({}, parseNodeId('n2')!);
      cluster.start({ node: { weight: 100 }, instance: 'b' });
    },
    notes: ['weight-clamped'],
    ends: (cluster) => cluster.apply({ type: 'patch-node', id: N1, weight: 50, by: 'ann' }),
  },
  {
    cause: 'its name resolves to a forbidden address',
    begins: (cluster) => cluster.apply({ type: 'address-refused', id: N1, message: 'app.test is a listener' }),
    notes: ['bad-address'],
    ends: (cluster) => cluster.port('answers'),
  },
  {
    cause: 'it returns three times in ten minutes',
    begins: (cluster) => {
      for (const instance of ['b', 'c', 'd']) cluster.start({ instance });
    },
    notes: ['flapping'],
    ends: (cluster) => cluster.pass(600),
  },
];

for (const { cause, first, begins, notes, stays = [], ends } of ROWS)
  void test(`a note ends with its cause: ${cause}`, () => {
    const cluster = new Cluster(first);
    if (first !== 'none') assert.deepEqual(cluster.notes(), []);
    begins(cluster);
    assert.deepEqual(cluster.notes(), notes);
    for (const later of stays) {
      later(cluster);
      assert.deepEqual(cluster.notes(), notes);
    }
    ends(cluster);
    assert.deepEqual(cluster.notes(), []);
    cluster.restart();
    if (cluster.resource().isStatic) cluster.port('answers');
    else cluster.reconnect();
    assert.deepEqual(cluster.notes(), [], 'after a restart of the coordinator');
  });

void test('a detail of an earlier reason is not shown with a later one', () => {
  const cluster = new Cluster('none');
  cluster.register();
  cluster.reach('connection refused');
  cluster.register({ instance: 'b' });
  assert.deepEqual(cluster.notes(), ['joining: being probed']);
  assert.equal(cluster.registry.node(N1)?.livenessDetail, undefined);
});

void test('a process that takes the id over from a running one is warned, and its node has no note', () => {
  const cluster = new Cluster();
  const url = parseNodeUrl('http://10.0.0.6:3000')!;
  const [registered] = cluster.register({ instance: 'b', node: { url } });
  assert.deepEqual(registered?.type === 'registered' && registered.warnings.map(({ code }) => code), ['superseded']);
  cluster.reach();
  assert.deepEqual(cluster.notes(), []);
});

/** The fields of a status event that describe its request. */
function requestsIn(events: readonly Event[]): object[] {
  return events.flatMap((event) => {
    if (event.type !== 'status') return [];
    const { type: _, id: __, side: ___, effective: ____, ...rest } = event;
    return [rest];
  });
}

type Request = readonly [
  status: OperatorStatusCommand['status'] | 'time',
  more: Partial<OperatorStatusCommand>,
  event: object | undefined,
  /** The request in force: who, why, and seconds since when. */
  wanted: string,
];

const REQUESTS: Readonly<Record<string, readonly Request[]>> = {
  'a repeat changes nothing, or only limits: the event has no reason, and the request stays': [
    ['draining', { reason: 'a' }, { status: 'draining', by: 'ann', reason: 'a' }, 'draining by ann (a) at 1'],
    ['draining', {}, undefined, 'draining by ann (a) at 1'],
    ['draining', { by: 'bob' }, undefined, 'draining by ann (a) at 1'],
    ['draining', { by: 'bob', reason: 'a' }, undefined, 'draining by ann (a) at 1'],
    [
      'draining',
      { by: 'bob', deadlineMs: 90_000 },
      { status: 'draining', by: 'bob', deadlineMs: 90_000 },
      'draining by ann (a) at 1',
    ],
  ],
  'a repeat with another reason is another request': [
    [
      'draining',
      { reason: 'a', deadlineMs: 9_000 },
      { status: 'draining', by: 'ann', reason: 'a', deadlineMs: 9_000 },
      'draining by ann (a) at 1',
    ],
    [
      'draining',
      { by: 'bob', reason: 'b' },
      { status: 'draining', by: 'bob', reason: 'b' },
      'draining by bob (b) at 2',
    ],
  ],
  'another status has no reason of the earlier one': [
    ['draining', { reason: 'a' }, { status: 'draining', by: 'ann', reason: 'a' }, 'draining by ann (a) at 1'],
    ['stopped', { by: 'bob' }, { status: 'stopped', by: 'bob' }, 'stopped by bob at 2'],
    ['enabled', { reason: 'back' }, { status: 'enabled', by: 'ann', reason: 'back' }, 'enabled at 3'],
    ['enabled', { reason: 'again' }, undefined, 'enabled at 3'],
    ['draining', {}, { status: 'draining', by: 'ann' }, 'draining by ann at 5'],
  ],
  'a status that ends by itself names the earlier request, and has no requester': [
    [
      'draining',
      { reason: 'a', forMs: 3_000 },
      { status: 'draining', by: 'ann', reason: 'a', forMs: 3_000 },
      'draining by ann (a) at 1',
    ],
    [
      'draining',
      { by: 'bob', forMs: 1_000 },
      { status: 'draining', by: 'bob', forMs: 1_000 },
      'draining by ann (a) at 1',
    ],
    [
      'time',
      {},
      { status: 'enabled', ended: { cause: 'time', status: 'draining', reason: 'a', by: 'ann', ageMs: 2_000 } },
      'enabled at 3',
    ],
  ],
};

for (const [name, requests] of Object.entries(REQUESTS))
  void test(name, () => {
    const cluster = new Cluster();
    for (const [status, more, event, wanted] of requests) {
      const ticked = cluster.pass(1);
      const events = status === 'time' ? ticked : cluster.operator(status, more);
      assert.deepEqual(requestsIn(events), event === undefined ? [] : [event], JSON.stringify([status, more]));
      const { by, reason, atUnixMs = 0, ...now } = cluster.resource().wanted;
      const who = `${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : ` (${reason})`}`;
      assert.equal(`${now.status}${who} at ${(atUnixMs - NOW_UNIX_MS) / 1_000}`, wanted);
    }
  });

/** Ends of a drain with a deadline of 5 s. The node has a session, unless it is empty. */
const ENDED: Readonly<Record<string, (cluster: Cluster) => void>> = {
  'deadline over': (cluster) => {
    cluster.operator('draining', { reason: 'a', deadlineMs: 5_000 });
    cluster.sessions(1);
    cluster.pass(6);
    assert.equal(cluster.drain(), 'over, 1 session');
  },
  empty: (cluster) => {
    cluster.operator('draining', { reason: 'a', deadlineMs: 5_000 });
    cluster.sessions(0);
    cluster.pass(6);
    assert.equal(cluster.drain(), 'over, 0 sessions');
    cluster.sessions(1);
  },
  'deadline over, then enabled': (cluster) => {
    cluster.operator('draining', { reason: 'a', deadlineMs: 5_000 });
    cluster.sessions(1);
    cluster.pass(6);
    cluster.operator('enabled');
  },
  'deadline over, then left and back': (cluster) => {
    cluster.operator('draining', { reason: 'a', deadlineMs: 5_000 });
    cluster.sessions(1);
    cluster.pass(6);
    cluster.leave();
    cluster.start({ instance: 'b' });
    cluster.sessions(1);
    assert.equal(cluster.drain(), 'continues, 1 session');
  },
  'stop with its deadline over': (cluster) => {
    cluster.operator('stopped', { reason: 'a', deadlineMs: 5_000 });
    cluster.sessions(1, 1);
    cluster.pass(6);
    assert.equal(cluster.drain(), 'over, 1 session');
  },
};

/** The next verb, and the drain right after it and 4 s later, while the session stays. */
const NEXT: readonly (readonly [
  status: 'draining' | 'stopped',
  more: Partial<OperatorStatusCommand>,
  deadlineS: number | undefined,
])[] = [
  ['draining', {}, undefined],
  ['draining', { reason: 'b' }, undefined],
  ['draining', { deadlineMs: 3_000 }, 3],
  ['draining', { reason: 'b', deadlineMs: 3_000 }, 3],
  ['draining', { forMs: 60_000 }, undefined],
  ['stopped', {}, undefined],
  ['stopped', { deadlineMs: 3_000 }, 3],
];

for (const [name, end] of Object.entries(ENDED))
  for (const [status, more, deadlineS] of NEXT)
    void test(`a ${status} ${JSON.stringify(more)} after a drain that is ${name} has no deadline but its own`, () => {
      const cluster = new Cluster();
      end(cluster);
      cluster.operator(status, more);
      cluster.sessions(1, 1);
      assert.equal(cluster.drain(), 'continues, 1 session');
      assert.equal(cluster.deadlineS(), deadlineS);
      cluster.pass(4);
      assert.equal(cluster.drain(), deadlineS === undefined ? 'continues, 1 session' : 'over, 1 session');
      cluster.sessions(0);
      cluster.pass(1);
      assert.equal(cluster.drain(), 'over, 0 sessions');
    });

void test('another request has no limit of the earlier one, and a repeat keeps the limits that are ahead', () => {
  const cluster = new Cluster();
  cluster.operator('draining', { reason: 'a', deadlineMs: 90_000, forMs: 90_000 });
  cluster.pass(1);
  cluster.operator('draining', { by: 'bob' });
  assert.equal(cluster.deadlineS(), 89);
  cluster.operator('draining', { by: 'bob', reason: 'b' });
  assert.deepEqual(cluster.notes(), ['wanted draining {"reason":"b","by":"bob"}']);
});
