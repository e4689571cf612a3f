/** Contexts without nodes that coordinators share. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseContextPath, parseNodeId } from '@rollcall/protocol';
import { registerCommand } from '../registry/registration.fixture.ts';
import { Registry } from '../registry/registry.ts';
import type { Instants } from './replica.ts';
import type { SharedRecord } from './shared-record.ts';
import { FollowedRegistry } from './shared-registry.fixture.ts';

const MINUTE_MS = 60_000;
const at = (nowMs: number): Instants => ({ nowMs, nowUnixMs: 1_800_000_000_000 + nowMs });
const make = (id: string): FollowedRegistry => new FollowedRegistry(id);

let connections = 0;
function connect(one: FollowedRegistry, id: string, paths: readonly string[], now: Instants, isReached = true): number {
  connections += 1;
  const instance = connections.toString(16).padStart(32, '0');
  const url = `http://10.0.0.${id.slice(1)}:80`;
  const command = registerCommand({ id, instance, url, paths, balancer: 'shop', connection: connections });
  const outcome = one.apply(command, now);
  assert.ok(!('type' in outcome), JSON.stringify(outcome));
  if (isReached)
    one.apply({ type: 'reachable', id: parseNodeId(id)!, connection: connections, isReachable: true }, now);
  return connections;
}

function leave(one: FollowedRegistry, id: string, connection: number, now: Instants): void {
  one.apply({ type: 'leave', id: parseNodeId(id)!, connection }, now);
}

/** A coordinator with contexts that have lost their node at `now`. */
function withLost(id: string, paths: readonly string[], now: Instants): FollowedRegistry {
  const one = make(id);
  leave(one, 'n1', connect(one, 'n1', paths, now), now);
  return one;
}

const pass = (from: FollowedRegistry, to: FollowedRegistry, now: Instants, kinds = /^context\//): void => {
  to.merge(
    from.replica.all(now.nowMs).filter(({ key }) => kinds.test(key)),
    now,
  );
};
const remembered = ({ registry }: FollowedRegistry): string[] =>
  registry.rememberedContexts().map(({ path, sinceMs }) => `${path} ${sinceMs}`);

test('a context that has lost its last node is remembered by coordinators that never had the node, for the time that remains', () => {
  const [a, b] = [withLost('a', ['/x'], at(1_000)), make('b')];
  b.apply({ type: 'tick' }, at(0));
  b.registry.takeChanges();
  pass(a, b, at(MINUTE_MS));
  assert.deepEqual(remembered(b), ['/x 1000']);
  const told = b.registry.takeChanges().map(({ type }) => type);
  assert.deepEqual(told, ['context-remembered']);
  for (const one of [a, b]) one.apply({ type: 'tick' }, at(10 * MINUTE_MS + 1_000));
  assert.deepEqual([remembered(a), remembered(b)], [[], []]);
  // Its registry has not noticed the end yet.
  const c = make('c');
  pass(withLost('a', ['/x'], at(1_000)), c, at(MINUTE_MS));
  for (const one of [b, c]) {
    one.expire(at(10 * MINUTE_MS + 1_000));
    one.merge([], at(10 * MINUTE_MS + 1_000));
    assert.deepEqual(one.replica.takeChanged(0).length, 0);
    assert.equal(one.replica.size, 0);
  }
});

test('contexts that an operator has forgotten are forgotten everywhere, also where their gone nodes are known', () => {
  const [a, b] = [withLost('a', ['/x', '/y'], at(0)), make('b')];
  pass(a, b, at(10));
  const node = connect(b, 'n2', ['/x'], at(11));
  leave(b, 'n2', node, at(12));
  b.registry.takeChanges();
  a.apply({ type: 'forget-contexts', path: parseContextPath('/x')! }, at(20));
  pass(a, b, at(30));
  assert.deepEqual(remembered(b), ['/y 0']);
  const told = b.registry.takeChanges().map((change) => `${change.type} ${'path' in change ? change.path : ''}`);
  assert.deepEqual(told, ['contexts-forgotten /x', 'context-remembered ']);
  const unserved = b.registry.unserved().map(({ path }) => path);
  assert.ok(!unserved.includes(parseContextPath('/x')!), 'its gone node is known here');
  leave(b, 'n3', connect(b, 'n3', ['/x'], at(40)), at(50));
  pass(b, a, at(60));
  assert.deepEqual(remembered(a).sort(), ['/x 50', '/y 0'], 'it was served again since');
});

test('a context that is served again anywhere is no longer remembered', () => {
  const [a, b] = [withLost('a', ['/x'], at(0)), make('b')];
  pass(a, b, at(10));
  connect(a, 'n2', ['/x'], at(20));
  pass(a, b, at(30));
  assert.deepEqual([remembered(a), remembered(b)], [[], []]);
});

test('a record has no effect while a node has the context, and comes into force when that leaves without having been up', () => {
  const [a, b] = [withLost('a', ['/x'], at(0)), make('b')];
  const connection = connect(b, 'n2', ['/x'], at(0), false);
  pass(a, b, at(10));
  assert.deepEqual(remembered(b), []);
  leave(b, 'n2', connection, at(20));
  assert.deepEqual(remembered(b), ['/x 0']);
});

test('contexts survive a wiped store and a restart, and those from before the sharing are shared with the first whole read', () => {
  const a = withLost('a', ['/x', '/y'], at(0));
  a.apply({ type: 'forget-contexts', path: parseContextPath('/y')! }, at(1));
  const file: readonly SharedRecord[] = a.replica.all(20);
  const { write } = a.registry.takeRecords(at(1).nowUnixMs);
  for (const records of [file, []]) {
    const registry = new Registry({ startedAtMs: 20, isShared: true });
    registry.apply({ type: 'restore', records: write, nowUnixMs: at(20).nowUnixMs }, 20);
    const again = new FollowedRegistry('a', registry);
    again.start(records, at(20));
    again.apply({ type: 'tick' }, at(30));
    again.merge([], at(30), true);
    const b = make('b');
    pass(again, b, at(40));
    assert.deepEqual(remembered(b), ['/x 0']);
    assert.equal(b.replica.all(40).length, 2, 'one remembered, one forgotten');
  }
});

test('a node that a restarted coordinator only expects does not end the memory of others', () => {
  const a = make('a');
  const connection = connect(a, 'n1', ['/x'], at(0));
  const { write } = a.registry.takeRecords(at(0).nowUnixMs);
  leave(a, 'n1', connection, at(10));
  const registry = new Registry({ startedAtMs: 20, isShared: true });
  registry.apply({ type: 'restore', records: write, nowUnixMs: at(20).nowUnixMs }, 20);
  const again = new FollowedRegistry('b', registry);
  again.start([], at(20));
  pass(a, again, at(30));
  pass(again, a, at(40));
  assert.deepEqual(remembered(a), ['/x 10']);
});

test('of the contexts of this coordinator at most 4,000 are shared, whatever nodes register', () => {
  const one = make('a');
  const paths = (round: number): string[] => Array.from({ length: 50 }, (_, i) => `/${round}-${i}`);
  for (let round = 0; round < 85; round += 1) leave(one, 'n1', connect(one, 'n1', paths(round), at(round)), at(round));
  const shared = one.replica.all(100).filter(({ key }) => key.startsWith('context/'));
  assert.equal(shared.length, 4_000);
  one.expire(at(11 * MINUTE_MS));
  leave(one, 'n1', connect(one, 'n1', ['/new'], at(11 * MINUTE_MS)), at(11 * MINUTE_MS));
  assert.ok(one.replica.all(11 * MINUTE_MS).some(({ key }) => key.startsWith('context/')));
});

test('contexts of other coordinators count among the 4,000', () => {
  const paths = (round: number): string[] => Array.from({ length: 50 }, (_, i) => `/${round}-${i}`);
  const [a, b] = [make('a'), make('b')];
  for (let round = 0; round < 80; round += 1) leave(a, 'n1', connect(a, 'n1', paths(round), at(round)), at(round));
  pass(a, b, at(100));
  leave(b, 'n2', connect(b, 'n2', ['/new'], at(200)), at(200));
  assert.equal(b.replica.all(200).filter(({ key }) => key.startsWith('context/')).length, 4_000);
});

test('a record whose key is not that of its context is not taken', () => {
  const [a, b] = [withLost('a', ['/x'], at(0)), make('b')];
  const [record] = a.replica.all(0).filter(({ key }) => key.startsWith('context/'));
  const foreign = { host: '*', path: '/z', balancer: 'shop' };
  b.merge(
    [
      { ...record!, value: foreign },
      { ...record!, key: 'context/1', value: 'text' },
    ],
    at(10),
  );
  assert.deepEqual([remembered(b), b.registry.unreadableRecords], [[], 2]);
});
