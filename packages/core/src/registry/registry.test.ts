import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StickySample } from '@rollcall/feed';
import type { LimitsPatch, NodeRegistration } from '@rollcall/protocol';
import {
  FIRST_ROUTE_COOKIE,
  MAX_PLACES_LENGTH,
  parseBalancerName,
  parseContextPath,
  parseGroupName,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
  placesLength,
} from '@rollcall/protocol';
import { NodeSessions } from '../sticky/node-sessions.ts';
import type { StoredRecord } from '../store/store.ts';
import type { RegisterCommand } from './commands.ts';
import { Registry } from './registry.ts';

const NOW_UNIX_MS = 1_800_000_000_000;
const SHOP = parseBalancerName('shop')!;
const N1 = parseNodeId('n1')!;
const N2 = parseNodeId('n2')!;

function node(id = N1, more: Partial<NodeRegistration> = {}): RegisterCommand['node'] {
  return {
    id,
    balancer: SHOP,
    url: parseNodeUrl('http://10.0.0.5:3000')!,
    route: parseRoute(id)!,
    contexts: [{ path: parseContextPath('/')! }],
    hosts: [parseHostPattern('*')!],
    weight: 1,
    loadHeader: false,
    meta: {},
    ...more,
    incarnation: 1,
    instance: 'a'.repeat(32),
  };
}

function registered(registration = node(), registry: Registry = new Registry({ startedAtMs: 0 })): Registry {
  const outcome = registry.apply(
    { type: 'register', node: registration, connection: 1, owner: 'join', kind: 'agent' },
    0,
  );
  assert.ok(!('type' in outcome));
  registry.apply({ type: 'reachable', id: registration.id, connection: 1, isReachable: true }, 0);
  return registry;
}

/** As many contexts as a node may have, with hosts of their own, as long as all may be together with `EVERYTHING.hosts`. */
const LONGEST_CONTEXTS = Array.from({ length: 128 }, (_, i) => ({
  path: parseContextPath(`/${i}`)!,
  hosts: [parseHostPattern(`${i}`.padEnd(i < 12 ? 13 : 12, 'h'))!],
}));

/** Every optional field there is, each as long as it may be. */
const EVERYTHING = node(parseNodeId('n'.repeat(64))!, {
  balancer: parseBalancerName('b'.repeat(64))!,
  url: parseNodeUrl(`http://${'h'.repeat(253)}:65535`)!,
  contexts: LONGEST_CONTEXTS,
  hosts: Array.from({ length: 16 }, (_, i) => parseHostPattern(Array(4).fill(`h${i}`.padEnd(62, 'x')).join('.'))!),
  group: parseGroupName('g'.repeat(64))!,
  version: '1'.repeat(64),
  keepAliveMs: 5_000,
  publicUrl: `http://${'p'.repeat(490)}`,
  sticky: {
    mode: 'suffix',
    cookies: Array.from({ length: 16 }, (_, i) => String(i).padEnd(64, 'c')),
    parameters: Array.from({ length: 16 }, (_, i) => String(i).padEnd(64, 'q')),
    failover: 'group',
    remove: true,
  },
  copies: { wrapper: 'f'.repeat(32), kept: 1_000, most: 1_000 },
  cores: 4,
  loadHeader: true,
  readyPath: `/${'"'.repeat(255)}`,
  meta: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`key${i}`, 'm'.repeat(256)])),
});

void test('a registry without a command is empty, and assumes no start', () => {
  const registry = new Registry();
  assert.equal(registry.revision, 0);
  assert.equal(registry.node(N1), undefined);
  assert.equal(registry.registration(N1), undefined);
  assert.equal(registry.resource(N1, { nowMs: 0, nowUnixMs: NOW_UNIX_MS }), undefined);
  assert.equal(registry.balancerResource(SHOP), undefined);
  assert.deepEqual([...registry.nodes()], []);
  assert.deepEqual(registry.takeChanges(), []);
  assert.deepEqual(registry.takeRecords(NOW_UNIX_MS), { write: [], remove: [] });
  assert.deepEqual(registry.pace(), { heartbeatMs: 1_000, suspectMs: 3_000, leaseMs: 20_000 });
  assert.deepEqual(registry.unserved(), []);
});

void test('without a given start, time begins with the first command', () => {
  const registry = new Registry({ settleMs: 15_000, learningMs: 10_000 });
  registry.apply({ type: 'tick' }, 5_000_000);
  assert.deepEqual(registry.snapshot(5_004_000), {
    revision: 0,
    isSettled: false,
    learningMs: 6_000,
    nodes: [],
    balancers: [],
    remembered: [],
    contexts: [],
    joining: [],
  });
});

void test('a node with everything is in the feed and in its answer as it registered', () => {
  const registry = registered(EVERYTHING);
  assert.deepEqual(registry.registration(EVERYTHING.id), EVERYTHING);
  const [node] = registry.snapshot(0).nodes;
  const { keepAliveMs, publicUrl, cores, group, loadHeader } = node!;
  assert.deepEqual(
    { keepAliveMs, publicUrl, cores, group, loadHeader },
    {
      keepAliveMs: 5_000,
      publicUrl: EVERYTHING.publicUrl,
      cores: 4,
      group: EVERYTHING.group,
      loadHeader: true,
    },
  );
  assert.deepEqual(registry.snapshot(0).balancers[0]?.sticky, {
    ...EVERYTHING.sticky,
    movable: false,
    routeCookie: FIRST_ROUTE_COOKIE,
  });
});

void test('the largest record there can be fits the store, and comes back as it was but for the free text', () => {
  assert.equal(placesLength(EVERYTHING), MAX_PLACES_LENGTH);
  const registry = registered(EVERYTHING);
  registry.apply(
    {
      type: 'operator-status',
      target: { type: 'node', id: EVERYTHING.id },
      status: 'stopped',
      by: 'ops',
      reason: 'r'.repeat(256),
      deadlineMs: 60_000,
      forMs: 120_000,
    },
    1_000,
  );
  registry.apply({ type: 'patch-node', id: EVERYTHING.id, by: 'ops', weight: 3, standby: true }, 1_000);
  registry.apply(
    {
      type: 'balancer-settings',
      name: EVERYTHING.balancer,
      source: 'operator',
      by: 'ops',
      patch: { algorithm: 'round-robin', sessionAlgorithm: 'power-of-two', retries: 1, sessionIdleMs: 60_000 },
    },
    1_000,
  );
  const { write } = registry.takeRecords(NOW_UNIX_MS + 1_000);
  assert.deepEqual(write.map(({ key }) => key.split('/')[0]).sort(), ['balancer', 'node', 'override']);
  for (const record of write) assert.ok(JSON.stringify(record).length <= 16_384);
  const next = new Registry({ startedAtMs: 500 });
  const records = JSON.parse(JSON.stringify(write)) as StoredRecord[];
  next.apply({ type: 'restore', records, nowUnixMs: NOW_UNIX_MS + 10_000 }, 500);
  assert.equal(next.unreadableRecords, 0);
  assert.deepEqual({ ...next.registration(EVERYTHING.id), meta: {} }, { ...EVERYTHING, meta: {} });
  assert.equal(Object.keys(next.registration(EVERYTHING.id)?.meta ?? {}).length, 0);
  const at = { nowMs: 500, nowUnixMs: NOW_UNIX_MS + 10_000 };
  const resource = next.resource(EVERYTHING.id, at);
  assert.deepEqual(resource?.wanted, {
    status: 'stopped',
    reason: 'r'.repeat(256),
    by: 'ops',
    atUnixMs: NOW_UNIX_MS + 1_000,
    deadlineAtUnixMs: NOW_UNIX_MS + 61_000,
    untilUnixMs: NOW_UNIX_MS + 121_000,
  });
  assert.deepEqual([resource?.weight, resource?.isStandby, resource?.version], [3, true, '1'.repeat(64)]);
  const { algorithm, sessionAlgorithm, retries, sessionIdleMs, origins } = next.balancerResource(EVERYTHING.balancer)!;
  assert.deepEqual([algorithm, sessionAlgorithm, retries, sessionIdleMs], ['round-robin', 'power-of-two', 1, 60_000]);
  assert.equal(origins['sticky.mode'], `node ${EVERYTHING.id}`);
});

void test('the feed has the age of the process of a node in it, and the age of its numbers', () => {
  const registry = registered();
  assert.deepEqual(
    [registry.snapshot(200).nodes[0]?.ageMs, registry.snapshot(200).nodes[0]?.loadAgeMs],
    [200, undefined],
  );
  registry.apply({ type: 'heartbeat', id: N1, connection: 1, load: 0.5 }, 1_000);
  registry.takeChanges();
  registry.apply({ type: 'patch-node', id: N1, by: 'ops', weight: 2 }, 3_000);
  const [change] = registry.takeChanges();
  assert.ok(change?.type === 'node');
  assert.deepEqual([change.node.load, change.node.ageMs, change.node.loadAgeMs], [0.5, 3_000, 2_000]);
  const restarted = { ...node(), incarnation: 2, instance: 'b'.repeat(32) };
  registry.apply({ type: 'register', node: restarted, connection: 2, owner: 'join', kind: 'agent' }, 4_000);
  const [anew] = registry.snapshot(4_500).nodes;
  assert.deepEqual([anew?.ageMs, anew?.loadAgeMs], [500, undefined]);
});

void test('a node that comes back after a restart of the coordinator is as old as it was, one that was gone is new', () => {
  const records = registered().takeRecords(NOW_UNIX_MS).write;
  const next = new Registry({ startedAtMs: 0 });
  next.apply({ type: 'restore', records, nowUnixMs: NOW_UNIX_MS + 60_000 }, 0);
  next.apply({ type: 'register', node: node(), connection: 1, owner: 'join', kind: 'agent' }, 1_000);
  next.apply({ type: 'reachable', id: N1, connection: 1, isReachable: true }, 1_000);
  assert.equal(next.snapshot(1_000).nodes[0]?.ageMs, 61_000);
  next.apply({ type: 'leave', id: N1, connection: 1 }, 2_000);
  next.apply({ type: 'register', node: node(), connection: 2, owner: 'join', kind: 'agent' }, 5_000);
  next.apply({ type: 'reachable', id: N1, connection: 2, isReachable: true }, 5_000);
  assert.equal(next.snapshot(5_100).nodes[0]?.ageMs, 100);
});

void test('a node that was stored while it was joining, and came up later, is in the feed after the next restart', () => {
  const registry = registered();
  registry.apply({ type: 'leave', id: N1, connection: 1 }, 0);
  const again = { ...node(), instance: 'b'.repeat(32) };
  registry.apply({ type: 'register', node: again, connection: 2, owner: 'join', kind: 'agent' }, 1);
  const restart = (of: Registry): Registry => {
    const next = new Registry({ startedAtMs: 0 });
    next.apply({ type: 'restore', records: of.takeRecords(NOW_UNIX_MS).write, nowUnixMs: NOW_UNIX_MS }, 0);
    return next;
  };
  const next = restart(registry);
  assert.deepEqual([next.node(N1)?.liveness, next.snapshot(0).nodes], ['joining', []]);
  next.apply({ type: 'register', node: again, connection: 1, owner: 'join', kind: 'agent' }, 0);
  next.takeRecords(NOW_UNIX_MS);
  next.apply({ type: 'reachable', id: N1, connection: 1, isReachable: true, probe: 'proof' }, 0);
  const [restored] = restart(next).snapshot(0).nodes;
  assert.deepEqual([restored?.liveness, restored?.probe, restored?.isConnected], ['suspect', 'proof', true]);
});

void test('nothing is written twice, and a record that never was is not removed', () => {
  const registry = registered();
  assert.deepEqual(
    registry.takeRecords(NOW_UNIX_MS).write.map(({ key }) => key),
    ['node/n1'],
  );
  assert.deepEqual(registry.takeRecords(NOW_UNIX_MS), { write: [], remove: [] });
  registry.apply({ type: 'heartbeat', id: N1, connection: 1, load: 0.5, sessions: 3 }, 1);
  assert.deepEqual(registry.takeRecords(NOW_UNIX_MS), { write: [], remove: [] });
  registry.apply({ type: 'patch-node', id: N1, by: 'ops', weight: 2 }, 2);
  registry.apply({ type: 'patch-node', id: N1, by: 'ops', weight: null }, 3);
  assert.deepEqual(registry.takeRecords(NOW_UNIX_MS), { write: [], remove: [] });
});

void test('a registration that repeats what the store has writes nothing, one that changes it does', () => {
  const registry = registered();
  registry.takeRecords(NOW_UNIX_MS);
  const again = (changes: object, connection: number): number => {
    const command = { type: 'register', connection, owner: 'join', kind: 'agent' } as const;
    registry.apply({ ...command, node: { ...node(), ...changes } }, connection);
    return nodeRecords(registry).length;
  };
  assert.deepEqual([again({}, 2), again({ meta: { pid: '7' } }, 3), again({}, 4)], [0, 0, 0]);
  assert.deepEqual([again({ weight: 3 }, 5), again({ weight: 3 }, 6)], [1, 0]);
  registry.apply({ type: 'leave', id: N1, connection: 6 }, 7);
  assert.equal(nodeRecords(registry).length, 1);
  assert.equal(again({ weight: 3 }, 8), 1);
});

function nodeRecords(registry: Registry): readonly StoredRecord[] {
  return registry.takeRecords(NOW_UNIX_MS).write.filter(({ key }) => key.startsWith('node/'));
}

void test('two records of a node written in the same millisecond have growing versions', () => {
  const registry = registered();
  const [first] = nodeRecords(registry);
  registry.apply({ type: 'leave', id: N1, connection: 1 }, 0);
  const [second] = nodeRecords(registry);
  registry.apply({ type: 'register', node: node(), connection: 2, owner: 'join', kind: 'agent' }, 0);
  const [third] = nodeRecords(registry);
  assert.deepEqual(
    [first?.version, second?.version, third?.version],
    [
      [1, NOW_UNIX_MS],
      [1, NOW_UNIX_MS + 1],
      [1, NOW_UNIX_MS + 2],
    ],
  );
});

void test('versions continue to grow when the wall clock is set back', () => {
  const registry = registered();
  const versions: (readonly [number, number])[] = [];
  for (const nowUnixMs of [NOW_UNIX_MS, NOW_UNIX_MS - 3_600_000, NOW_UNIX_MS - 3_600_000]) {
    registry.apply({ type: 'patch-node', id: N1, by: 'ops', weight: 1 + versions.length }, 1);
    registry.apply({ type: 'patch-node', id: N1, by: 'ops', weight: 2 + versions.length }, 1);
    const record = registry.takeRecords(nowUnixMs).write.find(({ key }) => key === 'override/n1');
    versions.push(record!.version);
  }
  assert.deepEqual(versions, [
    [NOW_UNIX_MS, 1],
    [NOW_UNIX_MS, 2],
    [NOW_UNIX_MS, 3],
  ]);
});

void test('records that were damaged by hand are skipped and counted, and the rest is restored', () => {
  const registry = registered();
  registry.apply({ type: 'patch-node', id: N1, by: 'ops', weight: 2 }, 0);
  const good = registry.takeRecords(NOW_UNIX_MS).write;
  const goodNode = good.find(({ key }) => key === 'node/n1')!.value as Record<string, unknown>;
  const bad: readonly (readonly [key: string, value: unknown])[] = [
    ['node/n2', undefined],
    ['node/n3', null],
    ['node/n4', 'text'],
    ['node/n5', { ...goodNode, registration: undefined }],
    ['node/n6', { ...goodNode, registration: { id: 'n6' } }],
    ['node/n7', goodNode],
    ['node/n8', { ...goodNode, kind: 'pod' }],
    ['node/n9', { ...goodNode, owner: 5 }],
    ['node/n10', { ...goodNode, incarnation: 'x' }],
    ['node/n11', { ...goodNode, instance: undefined }],
    ['node/n12', { ...goodNode, registeredAtUnixMs: undefined }],
    ['override/n1x', { status: 'gone' }],
    ['override/n1y', []],
    ['balancer/shop', { operator: { retries: 1e9 } }],
    ['balancer/shop2', { hint: { sticky: {} } }],
    ['balancer/shop3', { operator: { sticky: { cookies: [''] } } }],
    ['balancer/not a name', {}],
    ['balancer/shop4', JSON.parse('{"operator":{"__proto__":{"retries":1}}}')],
  ];
  const records = [...bad.map(([key, value]): StoredRecord => ({ key, version: [1, 1], value })), ...good];
  const next = new Registry({ startedAtMs: 0 });
  next.apply({ type: 'restore', records, nowUnixMs: NOW_UNIX_MS }, 0);
  assert.equal(next.unreadableRecords, bad.length);
  assert.deepEqual(
    [...next.nodes()].map(({ id }) => id),
    ['n1'],
  );
  assert.equal(next.resource(N1, { nowMs: 0, nowUnixMs: NOW_UNIX_MS })?.weight, 2);
  assert.deepEqual(Object.keys({}), []);
});

void test('records of an unknown kind are left alone, and overrides without a node are dropped', () => {
  const registry = new Registry({ startedAtMs: 0 });
  const records: StoredRecord[] = [
    { key: 'future/thing', version: [1, 1], value: 1 },
    { key: 'override/nobody', version: [1, 1], value: { weight: 2 } },
    { key: 'node/old', version: [1, 1], value: 1, expiresAtUnixMs: NOW_UNIX_MS },
    { key: 'balancer/plain', version: [1, 1], value: {} },
    { key: 'balancer/hinted', version: [1, 1], value: { hint: { from: 'n1' } } },
  ];
  registry.apply({ type: 'restore', records, nowUnixMs: NOW_UNIX_MS }, 0);
  assert.equal(registry.unreadableRecords, 0);
  assert.deepEqual(registry.takeRecords(NOW_UNIX_MS), { write: [], remove: ['node/old', 'override/nobody'] });
  assert.deepEqual(registry.balancers(), ['plain', 'hinted']);
});

/** The records of the store after two nodes of one balancer, one of another, and one without an agent. */
function cluster(): StoredRecord[] {
  const registry = registered();
  registered(node(N2, { url: parseNodeUrl('http://10.0.0.6:3000')! }), registry);
  const demo = { balancer: parseBalancerName('demo')!, contexts: [{ path: parseContextPath('/demo')! }] };
  registered(node(parseNodeId('d1')!, demo), registry);
  registry.apply({ type: 'register', node: node(parseNodeId('s1')!), connection: 1, owner: 'join', kind: 'static' }, 0);
  registry.apply({ type: 'reachable', id: parseNodeId('s1')!, connection: 1, isReachable: true }, 0);
  return registry.takeRecords(NOW_UNIX_MS).write;
}

void test('a store that contradicts itself or holds too much is restored as far as it makes sense', () => {
  const records = cluster();
  const thief = structuredClone(records.find(({ key }) => key === 'node/d1')!);
  const value = thief.value as { registration: { id: string; contexts: unknown } };
  value.registration.id = 'd2';
  value.registration.contexts = [{ path: '/' }];
  const registry = new Registry({ startedAtMs: 0 });
  registry.apply(
    {
      type: 'restore',
      records: [
        ...records,
        // Its route is free, its context is not.
        { ...thief, key: 'node/d2', value: { ...value, registration: { ...value.registration, route: 'd2' } } },
        // The route of another node.
        {
          ...thief,
          key: 'node/d3',
          value: { ...value, registration: { ...value.registration, id: 'd3', route: 'd1' } },
        },
      ],
      nowUnixMs: NOW_UNIX_MS,
    },
    0,
  );
  assert.deepEqual([...registry.nodes()].map(({ id }) => id).sort(), ['d1', 'n1', 'n2', 's1']);
  const small = new Registry({ startedAtMs: 0, maxNodes: 1, maxBalancers: 1 });
  const restored = small.apply({ type: 'restore', records, nowUnixMs: NOW_UNIX_MS }, 0);
  assert.ok(!('type' in restored));
  assert.deepEqual(
    [...small.nodes()].map(({ id }) => id),
    ['n1', 'n2'],
  );
  const more: StoredRecord = { key: 'balancer/more', version: [1, 1], value: { operator: { retries: 1 } } };
  small.apply({ type: 'restore', records: [more, { ...more, key: 'balancer/shop' }], nowUnixMs: NOW_UNIX_MS }, 0);
  assert.deepEqual(small.balancers(), ['shop']);
  // The memory of gone nodes holds one: one more that leaves pushes the first out.
  for (const id of [N1, N2]) {
    registered(node(id, { url: parseNodeUrl('http://10.0.0.6:3000')! }), small);
    small.apply({ type: 'leave', id, connection: 1 }, 1);
  }
  assert.deepEqual(
    [...small.nodes()].map(({ id }) => id),
    ['n2'],
  );
  assert.deepEqual(small.snapshot(1).remembered, [{ balancer: 'shop', route: 'n2', isExpected: false }]);
});

void test('a store that answers late adds its nodes as suspect ones, with a full lease', () => {
  const registry = registered(node(N2, { url: parseNodeUrl('http://10.0.0.6:3000')! }));
  registry.takeChanges();
  const events = registry.apply({ type: 'restore', records: cluster(), nowUnixMs: NOW_UNIX_MS }, 100);
  assert.ok(!('type' in events));
  assert.deepEqual(
    events.map(({ type }) => type),
    ['balancer', 'registered'],
  );
  const { nodes, remembered } = registry.snapshot(100);
  assert.deepEqual(
    nodes.map(({ id, liveness, isConnected, silentMs }) => [id, liveness, isConnected, silentMs]),
    [
      ['n2', 'up', true, undefined],
      ['n1', 'suspect', true, 0],
      ['d1', 'suspect', true, 0],
      ['s1', 'suspect', true, 0],
    ],
  );
  assert.deepEqual(remembered, []);
  assert.deepEqual(
    registry.takeChanges().map((change) => (change.type === 'node' ? `node ${change.node.id}` : change.type)),
    ['balancer', 'node n1', 'node d1', 'node s1'],
  );
  registry.apply({ type: 'heartbeat', id: N2, connection: 1 }, 20_000);
  registry.apply({ type: 'tick' }, 20_100);
  assert.equal(registry.node(N1)?.liveness, 'suspect');
  registry.apply({ type: 'tick' }, 20_101);
  assert.equal(registry.node(N1)?.liveness, 'gone');
});

const COUNTERS = {
  id: N1,
  inFlight: 1,
  tunnels: 2,
  parked: 3,
  requests: 30,
  failures: 4,
  serverErrors: 5,
  newSessions: 6,
  activeSessions: 7,
  sessionsSeenOnce: 0,
  bytesToNode: 8,
  bytesFromNode: 9,
  latencyMs: 10,
  isEjected: false,
};

void test('each worker reports its own counters of a node, and the resource has their sums', () => {
  const registry = registered(node(N1, { version: '2.0' }));
  const counters = COUNTERS;
  for (const worker of ['w1', 'w2', 'w3']) registry.apply({ type: 'worker-joined', worker }, 0);
  registry.apply({ type: 'observe', worker: 'w1', revision: 2, nodes: [counters, { ...counters, id: N2 }] }, 0);
  registry.apply(
    {
      type: 'observe',
      worker: 'w2',
      revision: 2,
      nodes: [{ ...counters, requests: 10, latencyMs: 50, isEjected: true }],
    },
    0,
  );
  registry.apply(
    { type: 'observe', worker: 'w3', revision: 2, nodes: [{ ...counters, requests: 0, latencyMs: -1 }] },
    0,
  );
  const at = { nowMs: 2_000, nowUnixMs: NOW_UNIX_MS };
  const resource = registry.resource(N1, at)!;
  assert.deepEqual(resource.observed, {
    recent: { requests: 0, errorRatio: 0 },
    isEjected: true,
    ejectedBy: ['w2'],
    requests: 40,
    failures: 12,
    serverErrors: 15,
    latencyMs: 20,
    bytesToNode: 24,
    bytesFromNode: 27,
    ports: [],
    parked: 9,
    failovers: {},
  });
  assert.deepEqual(
    [resource.inFlight, resource.tunnels, resource.sessions, resource.sessionsFrom, resource.newSessions],
    [3, 6, 7, 'workers', 18],
  );
  assert.deepEqual([resource.silentMs, resource.registeredAtUnixMs], [2_000, NOW_UNIX_MS - 2_000]);
  const { nodes, nodesUp, sessions, inFlight } = registry.balancerResource(SHOP)!;
  assert.deepEqual([nodes, nodesUp, sessions, inFlight], [1, 1, 7, 3]);
  registry.apply(
    {
      type: 'heartbeat',
      id: N1,
      connection: 1,
      load: 0.25,
      sessions: 2,
      inFlight: 1,
      serviceMs: 3,
      metrics: { cpu: 0.5 },
    },
    0,
  );
  const shown = registry.resource(N1, at)!;
  assert.deepEqual([shown.sessions, shown.sessionsFrom, shown.metrics], [2, 'node', { cpu: 0.5 }]);
  assert.equal(registry.balancerResource(SHOP)?.sessions, 2);
  const [inFeed] = registry.snapshot(0).nodes;
  assert.deepEqual([inFeed?.load, inFeed?.sessions], [0.25, 2]);
});

void test('each reason why a node is not up has a text', () => {
  const registry = registered();
  const reason = (): string | undefined => registry.resource(N1, { nowMs: 0, nowUnixMs: 0 })?.livenessReason;
  assert.equal(reason(), undefined);
  registry.apply({ type: 'disconnect', id: N1, connection: 1 }, 0);
  assert.equal(reason(), 'its connection closed without leave');
  registry.apply(
    {
      type: 'register',
      node: { ...node(), instance: 'b', incarnation: 2 },
      connection: 2,
      owner: 'join',
      kind: 'agent',
    },
    0,
  );
  assert.equal(reason(), 'a new process or address is being probed');
  registry.apply({ type: 'reachable', id: N1, connection: 2, isReachable: false }, 0);
  assert.equal(reason(), 'the coordinator cannot reach it: no answer');
  registry.apply({ type: 'leave', id: N1, connection: 2 }, 0);
  assert.equal(reason(), 'left by its own choice');
  registry.apply(
    { type: 'register', node: { ...node(), instance: 'c' }, connection: 3, owner: 'join', kind: 'agent' },
    0,
  );
  assert.equal(reason(), 'being probed');
  registry.apply({ type: 'tick' }, 21_000);
  assert.equal(reason(), 'no sign of life until its lease was over');
  registry.apply(
    { type: 'register', node: { ...node(), instance: 'c' }, connection: 4, owner: 'join', kind: 'agent' },
    21_000,
  );
  registry.apply({ type: 'remove', id: N1, by: 'ops' }, 21_000);
  assert.equal(reason(), 'removed by an operator');
});

void test('time never runs backwards', () => {
  const registry = registered();
  registry.apply({ type: 'heartbeat', id: N1, connection: 1 }, 10_000);
  registry.apply({ type: 'heartbeat', id: N1, connection: 1 }, 5_000);
  registry.apply({ type: 'tick' }, 12_500);
  assert.equal(registry.node(N1)?.liveness, 'up');
});

void test('when more nodes leave at once than may be remembered, no node is half forgotten', () => {
  const registry = new Registry({ startedAtMs: 0, maxNodes: 20, maxNodesPerOwner: 20 });
  const enter = (prefix: string, nowMs: number): void => {
    for (let i = 0; i < 20; i++) {
      const id = parseNodeId(`${prefix}${i}`)!;
      const registration = node(id, { url: parseNodeUrl(`http://10.0.0.5:${3_000 + i}`)! });
      registry.apply(
        { type: 'register', node: registration, connection: 1, owner: 'join', kind: 'lease', leaseMs: 15_000 },
        nowMs,
      );
      registry.apply({ type: 'reachable', id, connection: 1, isReachable: true }, nowMs);
    }
  };
  enter('a', 0);
  registry.apply({ type: 'tick' }, 15_001);
  assert.deepEqual(registry.counts(), { up: 0, suspect: 0, joining: 0, down: 0, missing: 0, gone: 20 });
  enter('b', 86_400_000);
  // The first 20 are forgotten by their age and by the others' going in the same tick.
  registry.apply({ type: 'tick' }, 86_415_001);
  assert.deepEqual(registry.counts(), { up: 0, suspect: 0, joining: 0, down: 0, missing: 0, gone: 20 });
  assert.ok([...registry.nodes()].every(({ id }) => id.startsWith('b')));
});

void test("an operator's settings are restored for a balancer that flags or a file have made before", () => {
  const first = registered();
  first.apply({ type: 'balancer-settings', name: SHOP, source: 'operator', patch: { retries: 1 }, by: 'op' }, 0);
  const records = first.takeRecords(NOW_UNIX_MS).write;
  const next = new Registry({ startedAtMs: 0 });
  next.apply({ type: 'balancer-settings', name: SHOP, source: 'file', patch: { retries: 5 }, by: 'file' }, 0);
  next.apply({ type: 'restore', records, nowUnixMs: NOW_UNIX_MS }, 0);
  assert.equal(next.balancerResource(SHOP)?.retries, 1);
  next.apply({ type: 'balancer-settings', name: SHOP, source: 'operator', patch: { retries: 2 }, by: 'op' }, 0);
  next.apply({ type: 'restore', records, nowUnixMs: NOW_UNIX_MS }, 0);
  assert.equal(next.balancerResource(SHOP)?.retries, 2, 'the later setting is newer');
});

void test('a node that was stopped begins without sessions, and one that was drained keeps them', () => {
  for (const [status, left] of [
    ['stopped', 0],
    ['draining', 3],
  ] as const) {
    const registry = registered(node(N1));
    registry.apply({ type: 'worker-joined', worker: 'w1' }, 0);
    registry.apply({ type: 'reachable', id: N1, connection: 1, isReachable: true }, 0);
    const sessions = new NodeSessions(1_800_000, 1);
    for (const id of ['a', 'b', 'c', 'a', 'b', 'c']) sessions.see(id, 0);
    registry.apply({ type: 'sessions-seen', worker: 'w1', nodes: [{ id: N1, ...sessions.take(10, 0)! }] }, 0);
    const request = (to: 'stopped' | 'draining' | 'enabled') =>
      registry.apply({ type: 'operator-status', target: { type: 'node', id: N1 }, status: to, by: 'ops' }, 0);
    request(status);
    request('enabled');
    request('draining');
    assert.equal(registry.resource(N1, { nowMs: 0, nowUnixMs: NOW_UNIX_MS })?.drain?.sessionsLeft, left, status);
  }
});

void test('a session that two workers see counts once, also when one of them has ended', () => {
  const registry = registered(node(N1));
  const seen = (from: number, to: number): NodeSessions => {
    const sessions = new NodeSessions(1_800_000, from);
    for (let i = from; i < to; i++) sessions.see(`session-${i}`, 0);
    return sessions;
  };
  const tell = (worker: string, sessions: NodeSessions): void => {
    for (let sample = sessions.take(1_000, 0); sample; sample = sessions.take(1_000, 0))
      registry.apply({ type: 'sessions-seen', worker, nodes: [{ id: N1, ...sample }] }, 0);
  };
  const sessions = (nowMs: number): number | undefined =>
    registry.resource(N1, { nowMs, nowUnixMs: NOW_UNIX_MS })?.sessions;
  const beat = (nowMs: number): ReturnType<Registry['apply']> =>
    registry.apply({ type: 'heartbeat', id: N1, connection: 1, load: 0 }, nowMs);
  for (const worker of ['w1', 'w2']) registry.apply({ type: 'worker-joined', worker }, 0);
  registry.apply({ type: 'reachable', id: N1, connection: 1, isReachable: true }, 0);
  tell('w1', seen(0, 6_000));
  assert.equal(sessions(0), 6_000);
  tell('w2', seen(4_000, 10_000));
  assert.equal(sessions(0), 10_000);
  for (const worker of ['w1', 'w2'])
    registry.apply(
      {
        type: 'observe',
        worker,
        revision: 1,
        nodes: [{ ...COUNTERS, inFlight: 0, tunnels: 0, parked: 0, activeSessions: 6_000 }],
      },
      0,
    );
  assert.equal(sessions(0), 10_000);
  registry.apply({ type: 'worker-left', worker: 'w1' }, 0);
  beat(60_000);
  registry.apply({ type: 'tick' }, 60_000);
  assert.equal(sessions(60_000), 10_000);

  registry.apply({ type: 'operator-status', target: { type: 'node', id: N1 }, status: 'draining', by: 'ops' }, 70_000);
  const drain = registry.resource(N1, { nowMs: 70_000, nowUnixMs: NOW_UNIX_MS })?.drain;
  assert.equal(drain?.sessionsLeft, 10_000);
  assert.equal(drain.oldestSessionMs, 70_000);
  registry.apply({ type: 'worker-joined', worker: 'w3' }, 70_000);
  const unused = { ...COUNTERS, inFlight: 0, tunnels: 0, parked: 0, activeSessions: 0 };
  registry.apply({ type: 'observe', worker: 'w2', revision: registry.revision, nodes: [unused] }, 70_000);
  registry.apply({ type: 'observe', worker: 'w3', revision: registry.revision, nodes: [] }, 70_000);
  assert.equal(registry.resource(N1, { nowMs: 70_000, nowUnixMs: NOW_UNIX_MS })?.drain?.isDone, false);
  const idle = beat(2_100_000);
  assert.ok(!('type' in idle) && idle.some(({ type }) => type === 'drained'));
  assert.deepEqual(registry.takeSessions(10, 2_100_000), [], 'nothing was asked for again');
  const unknown = registry.apply({ type: 'sessions-seen', worker: 'unknown', nodes: [] }, 2_100_000);
  assert.ok('type' in unknown && unknown.code === 'not-registered');
});

void test('a problem with sessions is reported once, with the present nodes, also after a restart', () => {
  const registry = registered(node(N1));
  registry.apply({ type: 'reachable', id: N1, connection: 1, isReachable: true }, 0);
  registry.apply(
    { type: 'balancer-settings', name: SHOP, source: 'operator', patch: { sticky: { mode: 'suffix' } }, by: 'ops' },
    0,
  );
  const sample: StickySample = {
    balancer: SHOP,
    routed: 80,
    unrouted: 0,
    other: 20,
    strange: 0,
    opened: 0,
    renewed: 0,
    foreign: 0,
    foreignRouted: 0,
    returned: 0,
    refused: 0,
    fresh: 0,
    routeless: 0,
    writes: [N1, N2].map((id) => ({ node: id, route: parseRoute('old')! })),
  };
  const tell = (to: Registry, balancer = SHOP): string[] => {
    to.apply({ type: 'worker-joined', worker: 'w1' }, 0);
    const { revision } = to;
    const events = to.apply({ type: 'sticky-seen', worker: 'w1', revision, balancers: [{ ...sample, balancer }] }, 0);
    return 'type' in events ? [events.code] : events.map(({ type }) => type);
  };
  assert.deepEqual(tell(registry), ['sticky']);
  assert.deepEqual(tell(registry), []);
  assert.deepEqual(tell(registry, parseBalancerName('nobody')!), []);
  const [finding] = registry.stickyFindings();
  assert.deepEqual(finding?.writes, [{ node: N1, writes: 'old', registered: 'n1', owner: undefined }]);

  const later = new Registry({ startedAtMs: 0 });
  const { write } = registry.takeRecords(NOW_UNIX_MS);
  later.apply({ type: 'restore', records: write, nowUnixMs: NOW_UNIX_MS }, 0);
  assert.deepEqual(tell(later), ['sticky']);
  assert.equal(later.stickyFindings().length, 1, 'its nodes are suspect, and in the feed');

  registry.apply({ type: 'leave', id: N1, connection: 1 }, 0);
  assert.deepEqual(registry.stickyFindings(), []);
  const over = registry.apply(
    { type: 'balancer-settings', name: SHOP, source: 'operator', patch: { sticky: { mode: 'insert' } }, by: 'ops' },
    0,
  );
  assert.ok(!('type' in over) && over.some((event) => event.type === 'sticky' && !event.isOn));
  const unregistered = registry.apply({ type: 'sticky-seen', worker: 'unknown', revision: 9, balancers: [] }, 0);
  assert.ok('type' in unregistered && unregistered.code === 'not-registered');
});

void test('a node that no worker has known is remembered over a restart beside the one that has its route now', () => {
  const registry = new Registry({ startedAtMs: 0 });
  const route = parseRoute('r')!;
  const join = (id: typeof N1, connection: number, nowMs: number): void => {
    const url = parseNodeUrl(`http://10.0.0.6:${3_000 + connection}`)!;
    registry.apply(
      { type: 'register', node: node(id, { route, url }), connection, owner: 'join', kind: 'agent' },
      nowMs,
    );
  };
  const ids = (of: Registry): string[] => [...of.nodes()].map(({ id }) => id).sort();
  join(N1, 1, 0);
  registry.apply({ type: 'tick' }, 60_000);
  join(N2, 2, 60_000);
  assert.deepEqual(ids(registry), ['n1', 'n2']);
  const records = registry.takeRecords(NOW_UNIX_MS).write;
  for (const order of [records, records.toReversed()]) {
    const next = new Registry({ startedAtMs: 0 });
    next.apply({ type: 'restore', records: order, nowUnixMs: NOW_UNIX_MS }, 0);
    assert.deepEqual(ids(next), ['n1', 'n2']);
  }
});

void test('time limits are settings by source, limit and path, bounded in their paths', () => {
  const registry = registered(EVERYTHING);
  const name = EVERYTHING.balancer;
  const set = (source: 'operator' | 'file', target: typeof name | '*', limits: LimitsPatch) =>
    registry.apply({ type: 'balancer-settings', name: target, source, by: 'ops', patch: { limits } }, 1_000);
  const shown = () => {
    const { limits, origins } = registry.balancerResource(name)!;
    return [limits, Object.fromEntries(Object.entries(origins).filter(([key]) => key.startsWith('limits.')))];
  };
  set('file', '*', { upstreamIdleMs: 10, paths: { '/a': { upstreamIdleMs: 20, tunnelIdleMs: 30 } } });
  set('operator', name, { paths: { '/a': { upstreamIdleMs: 'none' } } });
  assert.deepEqual(shown(), [
    { upstreamIdleMs: 10, paths: { '/a': { tunnelIdleMs: 30, upstreamIdleMs: 'none' } } },
    { 'limits.upstreamIdleMs': 'file', 'limits./a.upstreamIdleMs': 'operator', 'limits./a.tunnelIdleMs': 'file' },
  ]);
  const paths = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`/p${i}`, { tunnelIdleMs: 1 }]));
  assert.match(JSON.stringify(set('operator', name, { paths })), /limits for 32 paths, and these are 33/);
  assert.match(JSON.stringify(set('operator', name, { bodyTimeoutMs: 'none' })), /body-timeout cannot be none/);
  set('operator', name, { paths: { '/a': null } });
  assert.deepEqual(shown()[1], {
    'limits.upstreamIdleMs': 'file',
    'limits./a.upstreamIdleMs': 'file',
    'limits./a.tunnelIdleMs': 'file',
  });
});
