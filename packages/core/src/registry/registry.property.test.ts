/** Invariants for any sequence of commands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FeedBalancer, FeedChange, FeedNode, NodeCounters } from '@rollcall/feed';
import type { NodeId, PortReport } from '@rollcall/protocol';
import {
  isErrorCode,
  parseBalancerName,
  parseContextPath,
  parseGroupName,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import fc from 'fast-check';
import { contextKey, hostedContexts } from '../contexts/hosted-context.ts';
import type { StoredRecord } from '../store/store.ts';
import type { Command } from './commands.ts';
import type { Event } from './events.ts';
import type { Snapshot } from './feed/feed-view.ts';
import { addressKey } from './node/node-address.ts';
import { isMissing } from './node/node-record.ts';
import { isInFeed } from './node/node-status.ts';
import { Registry } from './registry.ts';

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 300);
const START_UNIX_MS = 1_800_000_000_000;
const OPTIONS = { maxNodes: 5, maxNodesPerOwner: 4, maxBalancers: 3, maxWorkers: 2, rememberMs: 60_000 };

type Step =
  | { readonly type: 'command'; readonly command: Command; readonly afterMs: number }
  | { readonly type: 'deliver' }
  | { readonly type: 'save' }
  | { readonly type: 'restart'; readonly afterMs: number };

const id = fc.constantFrom('n1', 'n2', 'n3', 'n4', 'n5', 'n6').map((text) => parseNodeId(text)!);
const balancer = fc.constantFrom('shop', 'demo', 'blog', 'more').map((text) => parseBalancerName(text)!);
const route = fc.constantFrom('n1', 'n2', 'r').map((text) => parseRoute(text)!);
const path = fc.constantFrom('/', '/a', '/b').map((text) => parseContextPath(text)!);
const host = fc.constantFrom('*', 'h').map((text) => parseHostPattern(text)!);
const connection = fc.integer({ min: 1, max: 4 });
const status = fc.constantFrom('enabled', 'draining', 'stopped');
const worker = fc.constantFrom('w1', 'w2', 'w3');
const durationMs = fc.constantFrom(0, 1, 250, 1_000, 3_001, 15_001, 60_000, Number.NaN, -1, Number.POSITIVE_INFINITY);
const count = fc.constantFrom(0, 1, 2, 0.5, 1e308, Number.NaN, -1, Number.POSITIVE_INFINITY);
const reason = fc.constantFrom('deploy', 'test');
const mode = fc.constantFrom('insert', 'suffix', 'rewrite', 'none');

/** Fields that may be absent: never there and `undefined`. */
function maybe<T extends object>(shape: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<Partial<T>> {
  return fc.record(shape, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;
}

const registerCommand = fc
  .record({
    id,
    balancer,
    route: fc.option(route, { nil: undefined, freq: 2 }),
    url: fc
      .constantFrom('http://10.0.0.5:1', 'https://10.0.0.5:1', 'http://10.0.0.5:2', 'http://[::ffff:10.0.0.5]:2')
      .map((text) => parseNodeUrl(text)!),
    contexts: fc.array(
      fc.record({ path, hosts: fc.array(host, { minLength: 1, maxLength: 2 }) }, { requiredKeys: ['path'] }),
      {
        minLength: 1,
        maxLength: 3,
      },
    ),
    hosts: fc.array(host, { minLength: 1, maxLength: 2 }),
    weight: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: count }),
    // Near the coordinator's clock as well: clocks of machines step, and are wrong.
    incarnation: fc.oneof(
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(undefined, -100_000, 0, 200_000, 400_000).map((ms) => ms && START_UNIX_MS + ms),
    ),
    instance: fc.constantFrom('a', 'b', 'c'),
    connection,
    owner: fc.constantFrom('join', 'join', 'join', 'other'),
    kind: fc.constantFrom('agent', 'agent', 'agent', 'lease', 'static'),
    isReplacing: fc.boolean(),
    sticky: maybe({ mode }),
    hasHint: fc.boolean(),
    group: maybe({ group: fc.constantFrom('eu', 'us').map((text) => parseGroupName(text)!) }),
  })
  .map(
    (given): Command => ({
      type: 'register',
      connection: given.connection,
      owner: given.owner,
      kind: given.kind,
      isReplacing: given.isReplacing,
      node: {
        id: given.id,
        balancer: given.balancer,
        route: given.route ?? parseRoute(given.id)!,
        url: given.url,
        contexts: given.contexts,
        hosts: given.hosts,
        weight: given.weight,
        ...(given.incarnation !== undefined && { incarnation: given.incarnation }),
        instance: given.instance,
        ...(given.hasHint && { sticky: given.sticky }),
        ...given.group,
        loadHeader: false,
        meta: {},
      },
    }),
  );

const counters: fc.Arbitrary<NodeCounters> = fc.record({
  id,
  inFlight: fc.integer({ min: 0, max: 1 }),
  tunnels: fc.integer({ min: 0, max: 1 }),
  parked: fc.integer({ min: 0, max: 1 }),
  activeSessions: fc.integer({ min: 0, max: 1 }),
  sessionsSeenOnce: fc.integer({ min: 0, max: 1 }),
  requests: fc.nat(9),
  failures: fc.nat(9),
  serverErrors: fc.nat(9),
  newSessions: fc.nat(9),
  bytesToNode: fc.nat(9),
  bytesFromNode: fc.nat(9),
  latencyMs: fc.constantFrom(-1, 3),
  isEjected: fc.boolean(),
});

const target = fc.oneof(
  fc.record({ type: fc.constant('node' as const), id }),
  fc.record({ type: fc.constant('balancer' as const), name: balancer }),
  fc.record({ type: fc.constant('group' as const), name: fc.constant(parseGroupName('eu')!) }),
);

const port = fc.constantFrom<PortReport>('unknown', 'answers', 'answers', 'unresponsive', 'refused', 'given-up');

const portsSeen = fc.record({
  type: fc.constant('ports-seen' as const),
  worker,
  ports: fc.uniqueArray(fc.tuple(id, port), { maxLength: 4, selector: ([one]) => one }),
});

const otherCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ type: fc.constant('reachable' as const), id, connection, isReachable: fc.boolean() }),
  fc.record({ type: fc.constant('reachable' as const), id, connection, isReachable: fc.constant(true) }),
  fc.tuple(id, connection, fc.boolean(), fc.boolean()).map(
    ([one, by, isLate, isGood]): Command => ({
      type: 'ready-path',
      id: one,
      connection: by,
      isLate,
      ...(!isGood && { problem: 'answers 503 at /health' }),
    }),
  ),
  fc
    .tuple(
      id,
      connection,
      maybe({ seq: count, load: count, sessions: count, inFlight: count, serviceMs: count, ready: fc.boolean() }),
    )
    .map(([one, by, numbers]): Command => ({ type: 'heartbeat', id: one, connection: by, ...numbers })),
  fc
    .tuple(
      id,
      connection,
      status,
      maybe({
        contexts: fc.array(path, { maxLength: 2 }),
        places: fc.array(fc.record({ host, path }), { maxLength: 2 }),
        deadlineMs: durationMs,
        reason,
      }),
    )
    .map(
      ([one, by, requestedStatus, limits]): Command => ({
        type: 'node-status',
        id: one,
        connection: by,
        status: requestedStatus,
        ...limits,
      }),
    ),
  fc.record({ type: fc.constantFrom('leave' as const, 'disconnect' as const), id, connection }),
  fc.tuple(target, status, maybe({ deadlineMs: durationMs, forMs: durationMs, reason })).map(
    ([who, requestedStatus, limits]): Command => ({
      type: 'operator-status',
      target: who,
      status: requestedStatus,
      by: 'op',
      ...limits,
    }),
  ),
  fc
    .tuple(
      id,
      maybe({
        weight: fc.option(count),
        standby: fc.option(fc.boolean()),
        redirectTo: fc.option(id),
      }),
    )
    .map(([one, patch]): Command => ({ type: 'patch-node', id: one, by: 'op', ...patch })),
  fc.record({ type: fc.constant('remove' as const), id, by: fc.constant('op') }),
  fc.record({
    type: fc.constant('acknowledge' as const),
    target: fc.record({ type: fc.constant('node' as const), id }),
    by: fc.constant('op'),
  }),
  fc.record({
    type: fc.constant('balancer-settings' as const),
    name: fc.oneof(balancer, fc.constant('*' as const)),
    source: fc.constantFrom('operator' as const, 'flag' as const, 'environment' as const, 'file' as const),
    patch: maybe({ retries: fc.option(fc.nat(3)), sticky: maybe({ mode: fc.option(mode) }) }),
    by: fc.constant('op'),
  }),
  fc.record({ type: fc.constantFrom('worker-joined' as const, 'worker-left' as const), worker }),
  fc.record({
    type: fc.constant('observe' as const),
    worker,
    revision: fc.nat(40),
    nodes: fc.array(counters, { maxLength: 3 }),
  }),
  portsSeen,
  portsSeen,
  portsSeen,
  fc.record({ type: fc.constant('stalled' as const), stalledMs: durationMs }),
  fc.record({ type: fc.constant('agents-held' as const), heldMs: durationMs }),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('command' as const), command: registerCommand, afterMs: fc.nat(2_000) }),
  },
  {
    weight: 12,
    arbitrary: fc.record({ type: fc.constant('command' as const), command: otherCommand, afterMs: fc.nat(2_000) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('command' as const),
      command: fc.constant<Command>({ type: 'tick' }),
      afterMs: fc.constantFrom(250, 1_000, 4_000, 21_000, 61_000),
    }),
  },
  { weight: 5, arbitrary: fc.constant<Step>({ type: 'deliver' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ type: 'save' }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('restart' as const), afterMs: fc.constantFrom(0, 5_000, 70_000) }),
  },
);

/** A worker's view, built by the rules of feed-view.ts. */
class Consumer {
  readonly nodes = new Map<NodeId, FeedNode>();
  readonly remembered = new Map<string, boolean>();
  readonly balancers = new Map<string, FeedBalancer>();
  isSettled: boolean;
  isLearning: boolean;

  constructor(snapshot: Snapshot) {
    for (const node of snapshot.nodes) this.nodes.set(node.id, node);
    for (const one of snapshot.balancers) this.balancers.set(one.name, one);
    for (const one of snapshot.remembered) this.remembered.set(`${one.balancer}.${one.route}`, one.isExpected);
    this.isSettled = snapshot.isSettled;
    this.isLearning = snapshot.learningMs > 0;
  }

  apply(change: FeedChange): void {
    switch (change.type) {
      case 'node':
        this.nodes.set(change.node.id, change.node);
        this.remembered.delete(`${change.node.balancer}.${change.node.route}`);
        return;
      case 'gone':
        this.nodes.delete(change.id);
        this.remembered.set(`${change.balancer}.${change.route}`, false);
        return;
      case 'forgotten':
        this.remembered.delete(`${change.balancer}.${change.route}`);
        return;
      case 'balancer':
        this.balancers.set(change.balancer.name, change.balancer);
        return;
      case 'settled':
        this.isSettled = change.isSettled;
        this.isLearning = change.learningMs > 0;
        if (!this.isLearning) for (const key of this.remembered.keys()) this.remembered.set(key, false);
        return;
    }
  }

  view(): unknown {
    return {
      // Loads and sessions travel in messages of their own. Ages grow, and remaining times fall, by themselves.
      nodes: sortedEntries(this.nodes).map(([, node]) => ({
        ...node,
        load: 0,
        sessions: 0,
        ageMs: 0,
        loadAgeMs: 0,
        silentMs: 0,
        drainMs: node.drainMs === undefined ? undefined : 0,
      })),
      remembered: sortedEntries(this.remembered),
      balancers: sortedEntries(this.balancers),
      isSettled: this.isSettled,
    };
  }
}

function sortedEntries<Value>(map: ReadonlyMap<string, Value>): [string, Value][] {
  return [...map].sort(([one], [other]) => (one < other ? -1 : 1));
}

/** Runs the steps against a registry, its store and a consumer of its feed, checking after each. */
class Run {
  registry = new Registry({ ...OPTIONS, startedAtMs: 0 });
  nowMs = 0;
  readonly stored = new Map<string, StoredRecord>();
  consumer = new Consumer(this.registry.snapshot(0));
  deliveredRevision = 0;
  readonly connected = new Set<string>();
  readonly reported: unknown[] = [];

  step(one: Step): void {
    switch (one.type) {
      case 'command':
        this.nowMs += one.afterMs;
        this.command(one.command);
        break;
      case 'deliver':
        this.deliver();
        break;
      case 'save':
        this.save();
        break;
      case 'restart':
        this.restart(one.afterMs);
        break;
    }
    this.checkInvariants();
  }

  command(given: Command): void {
    const command = given.type === 'register' ? { ...given, nowUnixMs: START_UNIX_MS + this.nowMs } : given;
    const before = this.registry.revision;
    const answering = this.answering(command);
    const outcome = this.registry.apply(command, this.nowMs);
    this.reported.push(outcome);
    if (!('type' in outcome)) this.follow(command);
    assert.ok(this.registry.revision >= before && this.registry.revision <= before + 1);
    if ('type' in outcome) {
      assert.ok(isErrorCode(outcome.code), outcome.code);
      assert.equal(this.registry.revision, before, 'a rejection changes nothing');
    } else for (const event of outcome) this.checkEvent(event, answering);
  }

  /** Nodes that some connected worker reports to answer, with what `command` adds to the reports. */
  answering(command: Command): ReadonlySet<NodeId> {
    const found = new Set<NodeId>();
    for (const { id: node } of this.registry.nodes()) {
      const reports = new Map(this.registry.ports(node).map((report) => [report.worker, report.port]));
      if (command.type === 'ports-seen')
        for (const [one, report] of command.ports) if (one === node) reports.set(command.worker, report);
      if ([...reports.values()].includes('answers')) found.add(node);
    }
    return found;
  }

  checkEvent(event: Event, answering: ReadonlySet<NodeId>): void {
    if (event.type !== 'gone' && event.type !== 'down') return;
    if (event.cause === 'left' || event.cause === 'removed' || (event.type === 'gone' && event.isTermOver)) return;
    assert.ok(!answering.has(event.id), `${event.id} answers a worker and is ${event.type} (${event.cause})`);
    const kind = this.registry.node(event.id)?.kind;
    assert.equal(event.type === 'down', kind === 'static', `${kind} ${event.id} is ${event.type}`);
  }

  /** Which workers are connected. */
  follow(command: Command): void {
    if (command.type === 'worker-joined') this.connected.add(command.worker);
    if (command.type === 'worker-left') this.connected.delete(command.worker);
  }

  deliver(): void {
    const changes = this.registry.takeChanges();
    assert.equal(changes.length > 0, this.registry.revision > this.deliveredRevision);
    this.deliveredRevision = this.registry.revision;
    for (const change of changes) this.consumer.apply(change);
    assert.deepEqual(this.consumer.view(), new Consumer(this.registry.snapshot(this.nowMs)).view());
    const reported = changes.filter((change) => change.type === 'node').map((change) => change.node.id);
    assert.equal(new Set(reported).size, reported.length, 'a node appears once');
    assert.deepEqual(this.registry.takeChanges(), []);
  }

  save(): void {
    const { write, remove } = this.registry.takeRecords(START_UNIX_MS + this.nowMs);
    for (const record of write) {
      const text = JSON.stringify(record);
      assert.ok(text.length <= 16_384 && record.key.length <= 128);
      const known = this.stored.get(record.key)?.version ?? [-1, -1];
      const isNewer = record.version[0] > known[0] || (record.version[0] === known[0] && record.version[1] > known[1]);
      assert.ok(isNewer, `the store would refuse ${record.key} ${record.version} after ${known}`);
      this.stored.set(record.key, JSON.parse(text) as StoredRecord);
    }
    for (const key of remove) assert.ok(this.stored.delete(key), `${key} was never stored`);
  }

  restart(afterMs: number): void {
    this.save();
    const before = this.overrides();
    this.nowMs += afterMs;
    this.registry = new Registry({ ...OPTIONS, startedAtMs: this.nowMs });
    this.connected.clear();
    const nowUnixMs = START_UNIX_MS + this.nowMs;
    this.command({ type: 'restore', records: [...this.stored.values()], nowUnixMs });
    assert.equal(this.registry.unreadableRecords, 0);
    this.registry.takeChanges();
    this.deliveredRevision = this.registry.revision;
    this.consumer = new Consumer(this.registry.snapshot(this.nowMs));
    const after = this.overrides();
    for (const [name, { override }] of after)
      assert.deepEqual(override, before.get(name)?.override, `overrides of ${name}`);
    for (const [name, { isPresent }] of before)
      if (isPresent) assert.equal(after.get(name)?.isPresent, true, `${name} is present after a restart`);
  }

  overrides(): Map<NodeId, { readonly isPresent: boolean; readonly override: unknown }> {
    const found = new Map<NodeId, { readonly isPresent: boolean; readonly override: unknown }>();
    for (const node of this.registry.nodes()) {
      const { operatorStatus: requestedStatus, overrides } = node;
      const isPresent = node.liveness !== 'gone';
      found.set(node.id, {
        isPresent,
        override: { overrides, requestedStatus: requestedStatus.status === 'enabled' ? undefined : requestedStatus },
      });
    }
    return found;
  }

  checkInvariants(): void {
    const routes = new Set<string>();
    const contexts = new Map<string, string>();
    const addresses = new Map<string, string>();
    const counts = { up: 0, suspect: 0, joining: 0, down: 0, missing: 0, gone: 0 };
    const now = { nowMs: this.nowMs, nowUnixMs: START_UNIX_MS + this.nowMs };
    for (const node of this.registry.nodes()) {
      const reports = this.registry.ports(node.id);
      const connected = this.connected.size;
      const isGivenUp =
        connected > 0 && reports.length === connected && reports.every((report) => report.port === 'given-up');
      const shown = isMissing(node) ? 'missing' : node.liveness;
      counts[shown === 'up' && isGivenUp ? 'suspect' : shown] += 1;
      const resource = this.registry.resource(node.id, now);
      assert.ok(resource);
      assert.deepEqual(JSON.parse(JSON.stringify(resource)), dropAbsent(resource), 'every number is finite');
      const { registration } = node;
      const isHolding = node.liveness !== 'gone';
      if (isHolding || node.isKnown) {
        const key = `${registration.balancer}.${registration.route}`;
        assert.ok(!routes.has(key), `route ${key} has two holders`);
        routes.add(key);
      }
      // A static member that has never answered holds none.
      if (isHolding && !(node.kind === 'static' && node.liveness === 'joining'))
        for (const context of hostedContexts(registration)) {
          const key = contextKey(context);
          const holder = contexts.get(key) ?? registration.balancer;
          assert.equal(holder, registration.balancer, `${key} has two balancers`);
          contexts.set(key, holder);
        }
      if (node.liveness === 'up' && !node.awaitsProbe && node.kind !== 'static') {
        const key = addressKey(registration.url);
        assert.equal(addresses.get(key) ?? registration.instance, registration.instance, `two processes have ${key}`);
        addresses.set(key, registration.instance);
      }
      if (isInFeed(node.liveness)) assert.ok(node.isKnown);
      if (node.liveness === 'up' && node.kind === 'agent') assert.ok(node.isConnected);
      if (node.liveness === 'down') assert.equal(node.kind, 'static');
    }
    assert.deepEqual(this.registry.counts(), counts);
    assert.ok(counts.up + counts.suspect + counts.joining + counts.down <= OPTIONS.maxNodes + 6);
    assert.ok(counts.gone + counts.missing <= 2 * OPTIONS.maxNodes);
    for (const name of this.registry.balancers()) assert.ok(this.registry.balancerResource(name));
    assert.ok(this.registry.balancers().length <= OPTIONS.maxBalancers);
  }
}

function dropAbsent(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, field: unknown) => {
      if (typeof field === 'number') assert.ok(Number.isFinite(field), 'a number is not finite');
      return field;
    }),
  );
}

void test('no sequence of commands throws, breaks an invariant or lets the feed and a snapshot disagree', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), (steps) => {
      const run = new Run();
      for (const one of steps) run.step(one);
      run.deliver();
      run.restart(0);
    }),
    { numRuns: RUNS },
  );
});

void test('the same commands at the same instants always give the same results', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }), (steps) => {
      const [one, other] = [new Run(), new Run()];
      for (const each of steps) {
        one.step(each);
        other.step(each);
      }
      assert.deepEqual(one.reported, other.reported);
    }),
    { numRuns: RUNS / 5 },
  );
});
