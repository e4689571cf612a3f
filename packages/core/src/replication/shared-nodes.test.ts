/** Nodes that coordinators share: two or three registries that read what the others write. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeId } from '@rollcall/protocol';
import type { Event } from '../registry/events.ts';
import type { NodeView } from '../registry/node/node-record.ts';
import { registerCommand } from '../registry/registration.fixture.ts';
import { Registry } from '../registry/registry.ts';
import type { Instants } from './replica.ts';
import { FollowedRegistry } from './shared-registry.fixture.ts';

const N1 = parseNodeId('n1')!;
const [OLD, NEW] = ['1'.repeat(32), '2'.repeat(32)];
const at = (nowMs: number): Instants => ({ nowMs, nowUnixMs: 1_800_000_000_000 + nowMs });

/** Coordinators of these ids, which run and share with each other. */
function together<const Ids extends readonly string[]>(...ids: Ids): { [Index in keyof Ids]: FollowedRegistry } {
  const all = ids.map((id) => new FollowedRegistry(id));
  for (const [i, one] of all.entries())
    one.setRunning(new Map(ids.filter((_, other) => other !== i).map((id) => [id, `name-${id}`])), at(0));
  return all as { [Index in keyof Ids]: FollowedRegistry };
}

function sync(all: readonly FollowedRegistry[], now: Instants): void {
  for (let round = 0; round < 3; round += 1)
    for (const from of all) for (const to of all) if (from !== to) to.merge(from.replica.all(now.nowMs), now);
}

let connections = 0;
function connect(one: FollowedRegistry, instance: string, now: Instants, incarnation = 1): number {
  connections += 1;
  const outcome = one.apply(registerCommand({ id: 'n1', instance, incarnation, connection: connections }), now);
  assert.ok(!('type' in outcome), JSON.stringify(outcome));
  return connections;
}

function reach(one: FollowedRegistry, now: Instants): void {
  const { connection } = one.registry.node(N1)!;
  one.apply({ type: 'reachable', id: N1, connection, isReachable: true }, now);
}

const present = ({ registry }: FollowedRegistry): string => {
  const node = registry.node(N1);
  return node === undefined ? 'unknown' : `${node.registration.instance[0]} ${node.liveness}`;
};
const refusals = (events: readonly Event[]): string[] =>
  events.flatMap((event) => (event.type === 'connection-refused' ? [event.code] : []));

test('a node with one connection is up at the other coordinator by its report, until the report is withdrawn', () => {
  const [a, b] = together('a', 'b');
  const connection = connect(a, OLD, at(0));
  reach(a, at(0));
  sync([a, b], at(10));
  assert.equal(present(b), '1 joining');
  reach(b, at(20));
  assert.equal(present(b), '1 up');
  assert.deepEqual(b.registry.node(N1)!.reportedBy, ['name-a']);
  for (let nowMs = 1_000; nowMs <= 60_000; nowMs += 1_000) {
    a.apply({ type: 'heartbeat', id: N1, connection }, at(nowMs));
    b.apply({ type: 'tick' }, at(nowMs));
  }
  assert.equal(present(b), '1 up', 'no heartbeats arrive here');
  a.apply({ type: 'disconnect', id: N1, connection }, at(60_000));
  sync([a, b], at(60_010));
  assert.deepEqual([present(a), present(b)], ['1 suspect', '1 suspect']);
});

test('a coordinator that is down reports nothing: the node is suspect, and has a lease from then on', () => {
  const [a, b] = together('a', 'b');
  connect(a, OLD, at(0));
  reach(a, at(0));
  sync([a, b], at(10));
  reach(b, at(20));
  b.setRunning(new Map(), at(50_000));
  assert.equal(present(b), '1 suspect');
  b.apply({ type: 'tick' }, at(60_000));
  assert.equal(present(b), '1 suspect');
  b.setRunning(new Map([['a', 'name-a']]), at(61_000));
  assert.equal(present(b), '1 up');
});

test('the own connection decides: its end makes the node suspect, and an answer of its port brings it back by the report', () => {
  const [a, b] = together('a', 'b');
  connect(a, OLD, at(0));
  const connection = connect(b, OLD, at(0));
  for (const one of [a, b]) reach(one, at(0));
  sync([a, b], at(10));
  assert.deepEqual(b.registry.node(N1)!.reportedBy, ['name-a']);
  b.apply({ type: 'worker-joined', worker: 'w' }, at(20));
  b.apply({ type: 'disconnect', id: N1, connection }, at(30));
  assert.equal(present(b), '1 suspect');
  b.apply({ type: 'ports-seen', worker: 'w', ports: [[N1, 'answers']] }, at(40));
  assert.equal(present(b), '1 up');
  b.apply({ type: 'ports-seen', worker: 'w', ports: [[N1, 'refused']] }, at(50));
  assert.equal(present(b), '1 gone', 'a port that refuses outranks the report');
});

test('the silence of a node without a lasting connection ends its own connection: the report and its port keep it up', () => {
  const [a, b] = together('a', 'b');
  const times = { suspectMs: 25_000, leaseMs: 60_000 };
  const connection = new Map<FollowedRegistry, number>();
  for (const [i, one] of [a, b].entries()) {
    one.apply({ ...registerCommand({ id: 'n1', instance: OLD, connection: 700 + i }), ...times }, at(0));
    connection.set(one, 700 + i);
    reach(one, at(0));
  }
  sync([a, b], at(10));
  b.apply({ type: 'worker-joined', worker: 'w' }, at(20));
  const seconds: string[] = [];
  for (let nowMs = 1_000; nowMs <= 120_000; nowMs += 1_000) {
    a.apply({ type: 'heartbeat', id: N1, connection: connection.get(a)! }, at(nowMs));
    sync([a, b], at(nowMs));
    b.apply({ type: 'tick' }, at(nowMs));
    seconds.push(present(b));
    // As a worker probes a suspect node.
    b.apply({ type: 'ports-seen', worker: 'w', ports: [[N1, 'answers']] }, at(nowMs + 500));
  }
  assert.deepEqual(
    seconds.flatMap((state, i) => (state === '1 up' ? [] : [`${i + 1} ${state}`])),
    ['26 1 suspect'],
  );
  const late = b.apply({ type: 'heartbeat', id: N1, connection: connection.get(b)! }, at(120_100));
  assert.ok('type' in late && late.code === 'superseded', 'it has to register again');
});

test('a process that has left ends where only reports kept it, and no report brings it back', () => {
  const [a, b, c] = together('a', 'b', 'c');
  const connection = connect(a, OLD, at(0));
  reach(a, at(0));
  sync([a, b, c], at(10));
  for (const one of [b, c]) reach(one, at(10));
  const before = b.replica.all(20);
  a.apply({ type: 'leave', id: N1, connection }, at(30));
  sync([a, b], at(40));
  assert.deepEqual([present(a), present(b), present(c)], ['1 gone', '1 gone', '1 up']);
  b.merge(before, at(50), true);
  a.merge(before, at(50), true);
  assert.deepEqual([present(a), present(b)], ['1 gone', '1 gone']);
  sync([a, b, c], at(60));
  assert.equal(present(c), '1 gone');
});

test('a process that left one coordinator stays at another as long as its connection there is open', () => {
  const [a, b] = together('a', 'b');
  const connection = connect(a, OLD, at(0));
  const other = connect(b, OLD, at(0));
  for (const one of [a, b]) reach(one, at(0));
  a.apply({ type: 'leave', id: N1, connection }, at(10));
  sync([a, b], at(20));
  assert.equal(present(b), '1 up');
  b.apply({ type: 'disconnect', id: N1, connection: other }, at(30));
  assert.equal(present(b), '1 gone');
});

test('a removed process ends everywhere at once, also where it is connected', () => {
  const [a, b] = together('a', 'b');
  connect(a, OLD, at(0));
  connect(b, OLD, at(0));
  a.apply({ type: 'remove', id: N1, by: 'op' }, at(10));
  const refused: string[] = [];
  b.onEvents = (events) => refused.push(...refusals(events));
  sync([a, b], at(20));
  assert.deepEqual([present(b), refused], ['1 gone', ['removed']]);
  const again = b.apply(registerCommand({ id: 'n1', instance: OLD, incarnation: 1, connection: 99 }), at(30));
  assert.ok('type' in again && again.code === 'removed');
});

test('two processes that were accepted apart: the later start stays everywhere, and the other one gets the reason', () => {
  for (const [ofOld, ofNew] of [
    [1, 2],
    [1, 1],
  ] as const) {
    const [a, b] = together('a', 'b');
    connect(a, OLD, at(0), ofOld);
    connect(b, NEW, at(1), ofNew);
    for (const one of [a, b]) reach(one, at(2));
    const refused: string[] = [];
    for (const one of [a, b]) one.onEvents = (events) => refused.push(...refusals(events));
    sync([a, b], at(10));
    const [atA, atB] = [a, b].map(({ registry }) => registry.node(N1)!.registration.instance);
    assert.equal(atA, atB);
    assert.equal(atA, ofNew > ofOld ? NEW : OLD, 'equal starts: the first claim');
    assert.deepEqual(refused, ['superseded']);
    assert.notEqual(present(a), `${atA![0]} gone`);
    assert.notEqual(present(b), `${atA![0]} gone`);
  }
});

test('a member without an agent is known everywhere, and ends where it is removed', () => {
  const [a, b] = together('a', 'b');
  a.apply({ ...registerCommand({ id: 'n1', connection: 1 }), kind: 'static', standing: 'operator' }, at(0));
  sync([a, b], at(10));
  const node = b.registry.node(N1) as NodeView;
  assert.deepEqual([node.kind, node.liveness, node.standing], ['static', 'joining', 'operator']);
  reach(b, at(20));
  assert.equal(present(b), `${node.registration.instance[0]} up`);
  b.apply({ type: 'remove', id: N1, by: 'op' }, at(30));
  sync([a, b], at(40));
  assert.match(present(a), / gone$/);
});

test('a member with a term lives as long as its registration is repeated anywhere', () => {
  const [a, b] = together('a', 'b');
  const command = { ...registerCommand({ id: 'n1', connection: 1 }), kind: 'lease', leaseMs: 10_000 } as const;
  for (let nowMs = 0; nowMs <= 40_000; nowMs += 5_000) {
    a.apply({ ...command, connection: 1 + nowMs }, at(nowMs));
    sync([a, b], at(nowMs + 10));
    if (nowMs === 0) for (const one of [a, b]) reach(one, at(20));
    b.apply({ type: 'tick' }, at(nowMs + 4_000));
    assert.match(present(b), / up$/, `${nowMs}`);
  }
  for (const one of [a, b]) one.apply({ type: 'tick' }, at(50_100));
  assert.match(present(b), / gone$/);
});

test('a process that was removed elsewhere is refused where its id was not known, and where another process had it', () => {
  for (const isKnown of [false, true]) {
    const [a, b] = together('a', 'b');
    if (isKnown) {
      const connection = connect(b, NEW, at(0), 2);
      b.apply({ type: 'leave', id: N1, connection }, at(1));
    }
    connect(a, OLD, at(5));
    a.apply({ type: 'remove', id: N1, by: 'op' }, at(10));
    sync([a, b], at(20));
    const outcome = b.apply(registerCommand({ id: 'n1', instance: OLD, connection: 900 }), at(30));
    assert.ok('type' in outcome && outcome.code === 'removed', JSON.stringify(outcome));
  }
});

test('a process without heartbeats anywhere is not taken, nor by a report on an earlier process', () => {
  const [a, b] = together('a', 'b');
  const connection = connect(a, OLD, at(0));
  const early = a.replica.get(`report/n1/a`, 0)!;
  a.apply({ type: 'disconnect', id: N1, connection }, at(10));
  sync([a, b], at(20));
  assert.equal(present(b), 'unknown');
  connect(a, NEW, at(30), 2);
  const now = at(40);
  const node = a.replica.get('node/n1', 40)!;
  b.merge([{ ...early, version: [2e12, 'a'] }, node], now);
  assert.equal(present(b), 'unknown');
});

test('a reported node stays up when a worker leaves, and suspect without an end of its lease while it is not reached', () => {
  const [a, b] = together('a', 'b');
  connect(a, OLD, at(0));
  reach(a, at(0));
  sync([a, b], at(10));
  reach(b, at(20));
  b.apply({ type: 'worker-joined', worker: 'w' }, at(30));
  b.apply({ type: 'ports-seen', worker: 'w', ports: [[N1, 'answers']] }, at(40));
  b.apply({ type: 'worker-left', worker: 'w' }, at(50));
  for (const nowMs of [4_000, 8_000, 60_000]) b.apply({ type: 'tick' }, at(nowMs));
  assert.equal(present(b), '1 up');
  const other = registerCommand({
    id: 'n2',
    instance: NEW,
    url: 'http://10.0.0.2:80',
    connection: 500,
    balancer: 'n1',
  });
  b.apply(other, at(60_000));
  b.apply({ type: 'reachable', id: parseNodeId('n2')!, connection: 500, isReachable: true }, at(60_000));
  b.apply({ type: 'worker-joined', worker: 'w' }, at(60_010));
  b.apply({ type: 'ports-seen', worker: 'w', ports: [[N1, 'unresponsive']] }, at(60_020));
  for (let nowMs = 61_000; nowMs < 120_000; nowMs += 1_000) {
    b.apply({ type: 'heartbeat', id: parseNodeId('n2')!, connection: 500 }, at(nowMs));
    b.apply({ type: 'tick' }, at(nowMs));
  }
  assert.equal(present(b), '1 suspect');
});

test('after a restart a coordinator withdraws its reports on nodes that do not return', () => {
  const [a, b] = together('a', 'b');
  connect(a, OLD, at(0));
  reach(a, at(0));
  sync([a, b], at(10));
  reach(b, at(10));
  const again = new FollowedRegistry('a');
  again.start(a.replica.all(20), at(20));
  again.expire(at(10_000));
  sync([again, b], at(10_000));
  assert.equal(present(b), '1 up');
  again.expire(at(20_020));
  sync([again, b], at(20_030));
  assert.equal(present(b), '1 suspect');
});

test('of two nodes that claimed one route or context apart, the one with the earlier claim stays everywhere', () => {
  const CONFLICTS = {
    'route-taken': [{ balancer: 'shop' }, { balancer: 'shop', route: 'n1' }],
    'context-taken': [{ balancer: 'blue' }, { balancer: 'green' }],
  } as const;
  for (const [code, [one, other]] of Object.entries(CONFLICTS)) {
    const [a, b] = together('a', 'b');
    const n2 = parseNodeId('n2')!;
    a.apply(registerCommand({ id: 'n1', connection: 1, ...one }), at(0));
    const url = 'http://10.0.0.2:80';
    b.apply(registerCommand({ id: 'n2', instance: NEW, url, connection: 2, ...other }), at(1));
    const refused: string[] = [];
    for (const each of [a, b]) each.onEvents = (events) => refused.push(...refusals(events));
    sync([a, b], at(10));
    assert.deepEqual(refused, [code]);
    const states = [a, b].map(({ registry }) => [N1, n2].map((id) => registry.node(id)?.liveness ?? 'unknown').join());
    assert.deepEqual(states, ['joining,unknown', 'joining,gone'], code);
  }
});

test('a gone node that an operator removes is forgotten everywhere, and its process is locked out everywhere', () => {
  const [a, b] = together('a', 'b');
  const connection = connect(a, OLD, at(0));
  reach(a, at(0));
  sync([a, b], at(10));
  reach(b, at(10));
  b.apply({ type: 'operator-status', target: { type: 'node', id: N1 }, status: 'draining', by: 'op' }, at(15));
  a.apply({ type: 'leave', id: N1, connection }, at(20));
  sync([a, b], at(30));
  assert.deepEqual([present(a), present(b)], ['1 gone', '1 gone']);
  a.apply({ type: 'remove', id: N1, by: 'op' }, at(40));
  const late = b.replica.all(45);
  sync([a, b], at(50));
  a.merge(late, at(55));
  assert.deepEqual([present(a), present(b)], ['unknown', 'unknown']);
  for (const one of [a, b]) {
    const again = one.apply(registerCommand({ id: 'n1', instance: OLD, connection: 700 }), at(60));
    assert.ok('type' in again && again.code === 'removed', JSON.stringify(again));
    connect(one, NEW, at(70), 2);
    assert.equal(one.registry.node(N1)?.operatorStatus.status, 'enabled');
  }
});

test('a node that is gone at one coordinator and connected to another one ends there when an operator removes it', () => {
  const [a, b] = together('a', 'b');
  const connection = connect(a, OLD, at(0));
  connect(b, OLD, at(0));
  sync([a, b], at(10));
  a.apply({ type: 'leave', id: N1, connection }, at(20));
  sync([a, b], at(30));
  assert.deepEqual([present(a), present(b)], ['1 gone', '1 joining']);
  const refused: string[] = [];
  b.onEvents = (events) => refused.push(...refusals(events));
  a.apply({ type: 'remove', id: N1, by: 'op' }, at(40));
  sync([a, b], at(50));
  assert.deepEqual([present(a), present(b), refused], ['unknown', '1 gone', ['removed']]);
});

for (const isHeard of [false, true])
  test(`a removal also removes the later process of the record ${isHeard ? 'only without' : 'that has no'} heartbeats`, () => {
    const [, b] = together('a', 'b');
    // It has no place for the later process.
    const a = new FollowedRegistry('a', new Registry({ startedAtMs: 0, isShared: true, maxNodes: 1 }));
    a.setRunning(new Map([['b', 'name-b']]), at(0));
    const first = connect(a, OLD, at(0));
    a.apply({ type: 'leave', id: N1, connection: first }, at(10));
    const url = 'http://10.0.0.2:80';
    const other = { id: 'n2', instance: '3'.repeat(32), balancer: 'n1' };
    a.apply(registerCommand({ ...other, url, connection: 600 }), at(11));
    const second = connect(b, NEW, at(20), 2);
    if (!isHeard) b.apply({ type: 'disconnect', id: N1, connection: second }, at(25));
    sync([a, b], at(30));
    assert.deepEqual([present(a), present(b)], ['1 gone', '2 joining']);
    a.apply({ type: 'remove', id: N1, by: 'op' }, at(40));
    sync([a, b], at(50));
    assert.deepEqual([present(a), present(b)], ['unknown', isHeard ? '2 joining' : '2 gone']);
  });

test('the reports on a node that was refused count when it registers', () => {
  const [a] = together('a', 'b');
  const b = new FollowedRegistry('b', new Registry({ startedAtMs: 0, isShared: true, maxNodes: 1 }));
  b.setRunning(new Map([['a', 'name-a']]), at(0));
  b.apply(registerCommand({ id: 'n2', instance: '3'.repeat(32), url: 'http://10.0.0.2:80', connection: 800 }), at(0));
  connect(a, OLD, at(0));
  sync([a, b], at(10));
  assert.equal(present(b), 'unknown', 'there is no place for it');
  b.apply({ type: 'leave', id: parseNodeId('n2')!, connection: 800 }, at(20));
  const connection = connect(b, OLD, at(30));
  reach(b, at(30));
  b.apply({ type: 'disconnect', id: N1, connection }, at(40));
  b.apply({ type: 'worker-joined', worker: 'w' }, at(50));
  b.apply({ type: 'ports-seen', worker: 'w', ports: [[N1, 'answers']] }, at(60));
  assert.equal(present(b), '1 up');
});

test('a process with heartbeats has the id, if the one that the record names has none anywhere, whatever their starts', () => {
  const [a, b] = together('a', 'b');
  connect(a, OLD, at(0), 1);
  const connection = connect(b, NEW, at(1), 2);
  b.apply({ type: 'disconnect', id: N1, connection }, at(2));
  for (const nowMs of [10, 20]) {
    sync([a, b], at(nowMs));
    for (const one of [a, b]) one.merge([], at(nowMs), true);
  }
  sync([a, b], at(30));
  assert.deepEqual([present(a), present(b)], ['1 joining', '1 joining']);
});
