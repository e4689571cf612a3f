/** Requests, settings and claims that lose against those of another coordinator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBalancerName, parseNodeId } from '@rollcall/protocol';
import type { Event } from '../registry/events.ts';
import { registerCommand } from '../registry/registration.fixture.ts';
import { ConflictReports, type LostConflict } from './lost-conflicts.ts';
import type { Instants } from './replica.ts';
import { FollowedRegistry } from './shared-registry.fixture.ts';

const N1 = parseNodeId('n1')!;
const SHOP = parseBalancerName('shop')!;
const at = (nowMs: number): Instants => ({ nowMs, nowUnixMs: 1_800_000_000_000 + nowMs });

interface Place {
  readonly followed: FollowedRegistry;
  readonly lost: string[];
}

/** Coordinators that run and know each other, with the conflicts that each has reported. */
function together(...ids: readonly string[]): Place[] {
  return ids.map((id) => {
    const followed = new FollowedRegistry(id);
    followed.setRunning(new Map(ids.filter((other) => other !== id).map((other) => [other, `name-${other}`])), at(0));
    const lost: string[] = [];
    followed.onEvents = (events: readonly Event[]) => {
      for (const event of events)
        if (event.type === 'conflict-lost')
          lost.push(
            `${event.key} ${event.what}: ${event.own.coordinator} ${event.own.value} / ${event.other.coordinator} ${event.other.value}`,
          );
    };
    return { followed, lost };
  });
}

function sync(places: readonly Place[], now: Instants): void {
  for (let round = 0; round < 3; round += 1)
    for (const from of places)
      for (const to of places) if (from !== to) to.followed.merge(from.followed.replica.all(now.nowMs), now);
}

function weigh({ followed }: Place, weight: number | null, now: Instants, by = 'op'): void {
  followed.apply({ type: 'patch-node', id: N1, weight, by }, now);
}

function join({ followed }: Place, now: Instants, command: Partial<Parameters<typeof registerCommand>[0]> = {}): void {
  const outcome = followed.apply(registerCommand({ id: 'n1', connection: now.nowMs + 1, ...command }), now);
  assert.ok(!('type' in outcome), JSON.stringify(outcome));
}

/** A node that all know. */
function withNode(...ids: readonly string[]): Place[] {
  const places = together(...ids);
  join(places[0]!, at(0));
  sync(places, at(1));
  return places;
}

test('a request that lost against a later one, made without knowledge of it, is reported where it was made, once', () => {
  const [a, b] = withNode('a', 'b') as [Place, Place];
  weigh(a, 2, at(10));
  weigh(b, 3, at(20));
  for (const nowMs of [30, 40]) sync([a, b], at(nowMs));
  assert.deepEqual(a.lost, ['override/n1 request: a {"weight":2} / name-b {"weight":3}']);
  assert.deepEqual(b.lost, []);
  assert.equal(a.followed.registry.node(N1)?.overrides.weight, 3);
});

test('a change of a request that was known is no conflict, also of a deleted one and after several changes', () => {
  const [a, b, c] = withNode('a', 'b', 'c') as [Place, Place, Place];
  const all = [a, b, c];
  weigh(a, 2, at(10));
  sync(all, at(20));
  weigh(b, 3, at(30));
  weigh(b, null, at(40));
  weigh(b, 4, at(50));
  sync([b, c], at(60));
  weigh(c, 5, at(70));
  sync(all, at(80));
  assert.deepEqual([a.lost, b.lost, c.lost], [[], [], []]);
});

test('the same request of two operators is no conflict, and a removal of it is one', () => {
  const [a, b] = withNode('a', 'b') as [Place, Place];
  weigh(a, 2, at(10), 'alice');
  weigh(b, 2, at(20), 'bob');
  sync([a, b], at(30));
  assert.deepEqual([a.lost, b.lost], [[], []]);
  weigh(a, 3, at(40));
  weigh(b, null, at(50));
  sync([a, b], at(60));
  assert.deepEqual(a.lost, ['override/n1 request: a {"weight":3} / name-b none']);
});

test('settings that lost are reported after a restart, too', () => {
  const [a, b] = together('a', 'b') as [Place, Place];
  for (const [place, retries, nowMs] of [
    [a, 3, 10],
    [b, 4, 20],
  ] as const)
    place.followed.apply(
      { type: 'balancer-settings', name: SHOP, source: 'operator', patch: { retries }, by: 'op' },
      at(nowMs),
    );
  const [again] = together('a') as [Place];
  again.followed.start(a.followed.replica.all(30), at(30));
  again.followed.merge(b.followed.replica.all(40), at(40));
  assert.deepEqual(again.lost, ['balancer/shop settings: a {"operator":{"retries":3}} / b {"operator":{"retries":4}}']);
});

test('a claim to an id, a route or a context that lost is reported where it was accepted, and the node is gone as claim-lost', () => {
  const other = { url: 'http://10.0.0.2:80', instance: '2'.repeat(32) };
  for (const [what, ofA, ofB] of [
    ['node/n1 id', { incarnation: 1 }, { incarnation: 2 }],
    ['node/n2 route', { id: 'n1', balancer: 'shop', paths: ['/a'] }, { id: 'n2', balancer: 'shop', route: 'n1' }],
    ['node/n2 context', { id: 'n1', balancer: 'blue' }, { id: 'n2', balancer: 'green' }],
  ] as const) {
    const [a, b] = together('a', 'b') as [Place, Place];
    join(a, at(10), ofA);
    join(b, at(20), { ...other, ...ofB });
    const causes: string[] = [];
    for (const { followed } of [a, b]) {
      const { onEvents } = followed;
      followed.onEvents = (events) => {
        onEvents(events);
        for (const event of events) if (event.type === 'gone') causes.push(event.cause);
      };
    }
    for (const nowMs of [30, 40]) sync([a, b], at(nowMs));
    const [loser, winner] = what === 'node/n1 id' ? [a, b] : [b, a];
    assert.equal(loser.lost.length, 1, `${what}: ${loser.lost.join()}`);
    assert.ok(loser.lost[0]!.startsWith(`${what}: `), loser.lost[0]);
    assert.match(loser.lost[0]!, /10\.0\.0\.1.*name-.*10\.0\.0\.2|10\.0\.0\.2.*name-.*10\.0\.0\.1/);
    assert.deepEqual([winner.lost, causes], [[], ['claim-lost']]);
  }
});

test('a process that left, or was replaced by one that knew it, has lost no conflict', () => {
  const [a, b] = withNode('a', 'b') as [Place, Place];
  a.followed.apply({ type: 'disconnect', id: N1, connection: 1 }, at(10));
  sync([a, b], at(20));
  join(b, at(30), { instance: '2'.repeat(32), incarnation: 2 });
  sync([a, b], at(40));
  assert.deepEqual([a.lost, b.lost], [[], []]);
});

test('of many conflicts twenty a minute are reported, and the last one counts the others', () => {
  const reports = new ConflictReports();
  const conflict = (i: number): LostConflict => ({
    key: `override/n${i}`,
    what: 'request',
    own: { coordinator: 'a', value: 'none' },
    other: { coordinator: 'b', value: 'none' },
  });
  const many = Array.from({ length: 50 }, (_, i) => conflict(i));
  assert.equal(reports.take(many, 1_000).length, 20);
  assert.deepEqual(reports.take([conflict(50)], 60_999), []);
  assert.deepEqual(reports.take([], 61_000), [{ ...conflict(50), more: 30 }]);
  assert.equal(reports.take(many, 61_001).length, 19);
});
