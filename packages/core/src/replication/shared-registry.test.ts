import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBalancerName } from '@rollcall/protocol';
import type { NodeView } from '../registry/node/node-record.ts';
import { Registry } from '../registry/registry.ts';
import type { Instants } from './replica.ts';
import { FollowedRegistry } from './shared-registry.fixture.ts';

const SHOP = parseBalancerName('shop')!;
const DAY_MS = 86_400_000;

const at = (nowMs: number): Instants => ({ nowMs, nowUnixMs: 1_800_000_000_000 + nowMs });

function withRetries(shared: FollowedRegistry, retries: number, now: Instants): void {
  const patch = { retries };
  shared.apply({ type: 'balancer-settings', name: SHOP, source: 'operator', patch, by: 'op' }, now);
}

const make = (id: string): FollowedRegistry => new FollowedRegistry(id);
const retriesOf = ({ registry }: FollowedRegistry): unknown =>
  registry.allShared().find(({ key }) => key.startsWith('balancer/'))?.value;

test('what a registry had before it was shared is shared after the first whole read, unless others have it', () => {
  for (const [others, inForce] of [
    [undefined, 3],
    [4, 4],
  ] as const) {
    const before = new Registry({ startedAtMs: 0 });
    before.apply({ type: 'balancer-settings', name: SHOP, source: 'operator', patch: { retries: 3 }, by: 'op' }, 0);
    const { write } = before.takeRecords(at(0).nowUnixMs);
    const registry = new Registry({ startedAtMs: 10, isShared: true });
    registry.apply({ type: 'restore', records: write, nowUnixMs: at(10).nowUnixMs }, 10);
    const shared = new FollowedRegistry('b', registry);
    shared.start([], at(10));
    assert.equal(shared.replica.size, 0, 'nothing is shared before it is known what others have');
    shared.merge([], at(15));
    assert.equal(shared.replica.size, 0, 'nor after the read of a part');
    const other = make('a');
    if (others !== undefined) withRetries(other, others, at(5));
    shared.merge(other.replica.all(5), at(20), true);
    assert.deepEqual(retriesOf(shared), { operator: { retries: inForce } });
    assert.deepEqual(shared.replica.all(20)[0]?.value, { operator: { retries: inForce } });
  }
});

test('the end of another record does not share early what a registry had before', () => {
  const before = new Registry({ startedAtMs: 0 });
  before.apply({ type: 'balancer-settings', name: SHOP, source: 'operator', patch: { retries: 3 }, by: 'op' }, 0);
  const registry = new Registry({ startedAtMs: 10, isShared: true });
  const { write } = before.takeRecords(at(0).nowUnixMs);
  registry.apply({ type: 'restore', records: write, nowUnixMs: at(10).nowUnixMs }, 10);
  const shared = new FollowedRegistry('b', registry);
  const ending = { key: 'other/1', version: [1, 'a'], value: 1, remaining: { expires: 100 } } as const;
  shared.start([ending], at(10));
  assert.equal(shared.expire(at(200)).size, 1);
  assert.equal(shared.replica.size, 0);
});

test('a coordinator without contact for long ends the requests that the others do not have', () => {
  const before = new Registry({ startedAtMs: 0 });
  before.apply({ type: 'balancer-settings', name: SHOP, source: 'operator', patch: { retries: 3 }, by: 'op' }, 0);
  const registry = new Registry({ startedAtMs: 10, isShared: true });
  const { write } = before.takeRecords(at(0).nowUnixMs);
  registry.apply({ type: 'restore', records: write, nowUnixMs: at(10).nowUnixMs }, 10);
  const shared = new FollowedRegistry('b', registry);
  shared.startOutdated();
  assert.deepEqual(retriesOf(shared), { operator: { retries: 3 } });
  shared.merge([], at(20), true);
  assert.equal(retriesOf(shared), undefined);
  assert.deepEqual(
    shared.replica.all(20).filter(({ value }) => value !== null),
    [],
  );
});

test('a request stays shared while a registry has it, and an unchanged one gets no new version', () => {
  const shared = make('a');
  withRetries(shared, 3, at(0));
  const [first] = shared.replica.all(0);
  withRetries(shared, 3, at(DAY_MS));
  assert.deepEqual(shared.replica.all(DAY_MS)[0]?.version, first!.version);
  shared.expire(at(31 * DAY_MS));
  assert.deepEqual(shared.replica.all(31 * DAY_MS)[0]?.value, { operator: { retries: 3 } });
  assert.notDeepEqual(shared.replica.all(31 * DAY_MS)[0]?.version, first!.version);
});

test('the coordinator that took a request ends it; another one does so ten seconds later', () => {
  const own = make('a');
  const peer = make('b');
  const records = [{ key: 'node/n1', version: [1, 1], value: NODE }] as const;
  for (const { registry } of [own, peer]) registry.apply({ type: 'restore', records, nowUnixMs: at(0).nowUnixMs }, 0);
  const id = own.registry.nodes().next().value!.id;
  const target = { type: 'node', id } as const;
  own.apply({ type: 'operator-status', target, status: 'draining', by: 'op', forMs: 60_000 }, at(0));
  peer.merge(own.replica.all(0), at(0));
  const statuses = (): unknown[] => [own, peer].map(({ registry }) => registry.node(id)?.operatorStatus.status);
  assert.deepEqual(statuses(), ['draining', 'draining']);
  for (const [nowMs, expected] of [
    [60_000, ['enabled', 'draining']],
    [69_999, ['enabled', 'draining']],
    [70_000, ['enabled', 'enabled']],
  ] as const) {
    for (const shared of [own, peer]) shared.apply({ type: 'tick' }, at(nowMs));
    assert.deepEqual(statuses(), expected, `${nowMs}`);
  }
});

/** A static member, as it is stored. */
const NODE = {
  registration: { id: 'n1', balancer: 'shop', url: 'http://10.0.0.1:80', route: 'n1', contexts: [{ path: '/' }] },
  incarnation: 1,
  instance: 'a'.repeat(32),
  owner: 'op',
  kind: 'static',
  isKnown: true,
  isProved: true,
  isInFeed: true,
  registeredAtUnixMs: at(0).nowUnixMs,
};

test('a request for a context of a node is shared, and ends everywhere', () => {
  const [a, b] = [make('a'), make('b')];
  const records = [{ key: 'node/n1', version: [1, 1], value: NODE }] as const;
  for (const { registry } of [a, b]) registry.apply({ type: 'restore', records, nowUnixMs: at(0).nowUnixMs }, 0);
  const { id, registration }: NodeView = a.registry.nodes().next().value!;
  const contexts = registration.contexts.map(({ path }) => path);
  for (const status of ['stopped', 'enabled'] as const) {
    a.apply({ type: 'operator-context-status', id, contexts, status, by: 'op' }, at(1));
    b.merge(a.replica.all(1), at(1));
    assert.equal(b.registry.node(id)?.operatorContexts.get(contexts[0]!) ?? 'enabled', status);
  }
});
