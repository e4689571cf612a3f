import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeAgentMessage, parseBalancerName, parseNodeId, type RegisterMessage } from '@rollcall/protocol';
import type { Event, Rejection } from './events.ts';
import { Registry } from './registry.ts';

const SHOP = parseBalancerName('shop')!;
let connections = 0;

/** Wrappers by their letter, with so many copies, of at most `most`. */
function cluster(wrappers: Readonly<Record<string, number>>, most = 8, others = 0): Registry {
  const registry = new Registry({ startedAtMs: 0 });
  for (const [letter, kept] of Object.entries(wrappers))
    for (let copy = 0; copy < kept; copy++)
      join(registry, `${letter}${copy}`, { wrapper: letter.repeat(32), kept, most });
  for (let other = 0; other < others; other++) join(registry, `other${other}`);
  return registry;
}

function join(registry: Registry, id: string, copies?: object, owner = 'join', isUp = true): void {
  const node = {
    id,
    balancer: 'shop',
    url: `http://10.0.0.5:${3_000 + ++connections}`,
    copies,
    instance: connections.toString(16).padStart(32, '0'),
  };
  const { node: read } = decodeAgentMessage(JSON.stringify({ type: 'register', node })) as RegisterMessage;
  registry.apply(
    {
      type: 'register',
      node: { incarnation: connections, instance: '', ...read },
      connection: connections,
      owner,
      kind: 'agent',
    },
    0,
  );
  registry.apply({ type: 'reachable', id: read.id, connection: connections, isReachable: isUp }, 0);
}

function scale(registry: Registry, count: number): string {
  const outcome = registry.apply({ type: 'scale', balancer: SHOP, count, by: 'op' }, 0);
  if ('type' in outcome) return (outcome as Rejection).code;
  return outcome
    .filter((event): event is Event & { type: 'scale' } => event.type === 'scale')
    .map(({ id, count: kept }) => `${id}=${kept}`)
    .join(' ');
}

void test('one wrapper is informed through one of its nodes, and only of a change', () => {
  const registry = cluster({ a: 2 });
  assert.equal(scale(registry, 5), 'a0=5');
  assert.equal(scale(registry, 5), '');
  assert.equal(scale(registry, 1), 'a0=1');
});

void test('a removed copy counts no more: its wrapper keeps one less', () => {
  const registry = cluster({ a: 2, b: 1 });
  const remove = (id: string) => registry.apply({ type: 'remove', id: parseNodeId(id)!, by: 'op' }, 0);
  remove('a1');
  assert.equal(scale(registry, 2), '', 'two live copies are two');
  assert.equal(scale(registry, 3), 'a0=2');
  remove('b0');
  assert.equal(scale(registry, 1), 'a0=1', 'one wrapper is left');
});

void test('a copy that was leaving already is not subtracted again when it is removed', () => {
  const registry = cluster({ a: 3 });
  assert.equal(scale(registry, 2), 'a0=2');
  const id = parseNodeId('a2')!;
  registry.apply({ type: 'node-status', id, connection: connections, status: 'draining', reason: 'scaled down' }, 0);
  registry.apply({ type: 'remove', id, by: 'op' }, 0);
  assert.equal(scale(registry, 2), '');
});

void test('several wrappers stay as even as their bounds allow, and others count along', () => {
  assert.equal(scale(cluster({ a: 1, b: 1 }), 6), 'a0=3 b0=3');
  assert.equal(scale(cluster({ a: 5, b: 1 }), 8), 'b0=3');
  assert.equal(scale(cluster({ a: 5, b: 1 }), 4), 'a0=3');
  assert.equal(scale(cluster({ a: 2, b: 2 }, 8, 3), 9), 'a0=3 b0=3');
  assert.equal(scale(cluster({ a: 2, b: 1 }, 2), 4), 'b0=2');
});

void test('a number that cannot be reached is refused and changes nothing', () => {
  assert.equal(scale(cluster({}, 8, 2), 3), 'not-scalable');
  assert.equal(scale(cluster({ a: 2 }, 4), 5), 'conflict');
  assert.equal(scale(cluster({ a: 2, b: 2 }), 1), 'conflict');
  assert.equal(scale(cluster({ a: 2 }, 8, 2), 2), 'conflict');
});

void test('the number that a wrapper announces when it registers again counts from then on', () => {
  const registry = cluster({ a: 2 });
  assert.equal(scale(registry, 4), 'a0=4');
  join(registry, 'a0', { wrapper: 'a'.repeat(32), kept: 3, most: 8 });
  assert.match(scale(registry, 4), /^a\d=4$/);
});

void test('only wrappers of the first token are changed, and nodes of others count along', () => {
  const registry = cluster({ a: 1 });
  for (let i = 0; i < 2; i++) join(registry, `g${i}`, { wrapper: 'b'.repeat(32), kept: 1, most: 1_000 }, 'guest');
  assert.equal(scale(registry, 5), 'a0=3');
});

void test('copies that were promised and have not come up do not count', () => {
  const registry = cluster({ a: 1 });
  join(registry, 'b0', { wrapper: 'b'.repeat(32), kept: 900, most: 1_000 });
  join(registry, 'c0', { wrapper: 'c'.repeat(32), kept: 1, most: 1 }, 'join', false);
  join(registry, 'x0', undefined, 'join', false);
  assert.equal(scale(registry, 5), 'a0=2 b0=2');
  assert.equal(scale(registry, 5), '');
});

/** Wrappers and other nodes as in `cluster`; the drained nodes; the number; the nodes that may end. */
const ENDS: readonly [
  wrappers: Readonly<Record<string, number>>,
  others: number,
  drained: readonly string[],
  count: number,
  ended: string,
][] = [
  [{ a: 2 }, 0, [], 2, ''],
  [{ a: 2 }, 0, [], 3, ''],
  [{ a: 2 }, 0, [], 0, ''],
  [{ a: 2 }, 0, [], 99, ''],
  [{ a: 3 }, 0, [], 1, 'a0 a1'],
  [{ a: 3 }, 0, ['a0'], 1, 'a1 a2'],
  [{ a: 3 }, 0, ['a1'], 2, 'a0'],
  [{ a: 2, b: 2 }, 0, [], 2, 'a0 b0'],
  [{ a: 3 }, 2, [], 3, 'a0 a1'],
  [{}, 2, [], 1, ''],
];

for (const [wrappers, others, drained, count, ended] of ENDS)
  void test(`${JSON.stringify(wrappers)} and ${others} others, ${drained.join() || 'none'} drained, scaled to ${count}: ${ended || 'none'} may end`, () => {
    const registry = cluster(wrappers, 8, others);
    for (const id of drained)
      registry.apply(
        { type: 'operator-status', target: { type: 'node', id: parseNodeId(id)! }, status: 'draining', by: 'op' },
        0,
      );
    assert.equal([...registry.endedByScale(SHOP, count)].sort().join(' '), ended);
  });
