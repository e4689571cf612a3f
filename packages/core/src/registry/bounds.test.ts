/** The bound that a rejection names is the bound that is checked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBalancerName, parseHostPattern, parseNodeId, parseNodeUrl, parseRoute } from '@rollcall/protocol';
import type { RegisterCommand } from './commands.ts';
import { Registry } from './registry.ts';

const ID = parseNodeId('n1')!;

function register(more: Partial<RegisterCommand['node']>, leaseMs?: number) {
  const registry = new Registry({ startedAtMs: 0 });
  const node: RegisterCommand['node'] = {
    id: ID,
    balancer: parseBalancerName('shop')!,
    url: parseNodeUrl('http://127.0.0.1:3000')!,
    route: parseRoute('n1')!,
    hosts: [parseHostPattern('*')!],
    contexts: [],
    weight: 1,
    loadHeader: false,
    meta: {},
    instance: 'a'.repeat(32),
    ...more,
  };
  const outcome = registry.apply(
    { type: 'register', node, owner: 'op', kind: 'static', connection: 1, ...(leaseMs !== undefined && { leaseMs }) },
    0,
  );
  return { registry, outcome };
}

function messageOf(outcome: ReturnType<Registry['apply']>): string | undefined {
  return 'type' in outcome ? outcome.message : undefined;
}

const BOUNDED: Readonly<Record<string, (value: number) => string | undefined>> = {
  'weight of a registration': (weight) => messageOf(register({ weight }).outcome),
  'weight by an operator': (weight) =>
    messageOf(register({}).registry.apply({ type: 'patch-node', id: ID, by: 'ops', weight }, 1)),
  'lease of a registration': (leaseMs) => messageOf(register({}, leaseMs).outcome),
};

for (const [name, apply] of Object.entries(BOUNDED))
  test(`the bounds of the ${name}`, () => {
    const said = apply(0);
    const [, within, to] = /within ([\d.]+) to ([\d.]+)/.exec(said ?? '') ?? [];
    const [, above, atMost] = /above ([\d.]+) and at most ([\d.]+)/.exec(said ?? '') ?? [];
    const highest = Number(to ?? atMost);
    assert.ok(highest > 0, said);
    assert.equal(apply(highest), undefined, `${highest} is allowed`);
    assert.ok(apply(highest + 0.001), `more than ${highest} is not`);
    assert.ok(apply(Number.NaN) && apply(Number.POSITIVE_INFINITY) && apply(-1));
    if (within === undefined) {
      assert.ok(apply(Number(above)), `${above} is not`);
      assert.equal(apply(Number(above) + 1), undefined);
    } else {
      assert.equal(apply(Number(within)), undefined, `${within} is allowed`);
      assert.ok(apply(Number(within) - 0.0001), `less than ${within} is not`);
    }
  });
