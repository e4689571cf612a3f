import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Replica } from './replica.ts';
import type { SharedRecord } from './shared-record.ts';

const at = (nowMs: number) => ({ nowMs, nowUnixMs: 1_000_000 + nowMs });

/** From the weakest to the one that always stands. */
const STATES = { changed: { name: 'web' }, replaced: { replacedBy: 'b'.repeat(16) }, revoked: null } as const;
type State = keyof typeof STATES;
const NAMES = Object.keys(STATES) as State[];

/** All orders of the items. */
function orders<Item>(items: readonly Item[]): Item[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, i) => orders(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

test('a revoked token stays revoked, and a replaced one replaced, with each order of versions and of arrivals', () => {
  let cases = 0;
  for (const some of [NAMES, NAMES.slice(0, 2), NAMES.slice(1), [NAMES[0]!, NAMES[2]!]])
    for (const versions of orders(some)) {
      const records = versions.map((state, i): SharedRecord => {
        return { key: 'token/t1', version: [100 + i, 'c'.repeat(i + 1)], value: STATES[state], remaining: {} };
      });
      for (const arrivals of orders(records)) {
        const replicas = ['a', 'b'].map((id) => new Replica(id));
        const [one, other] = replicas as [Replica, Replica];
        for (const [i, record] of arrivals.entries()) one.merge([record, arrivals[0]!], at(i));
        for (const record of arrivals.toReversed()) other.merge([record], at(10));
        // The two exchange until neither has something for the other.
        for (let round = 0; round < 3; round += 1) {
          one.merge(other.all(20), at(20));
          other.merge(one.all(20), at(20));
        }
        const expected = STATES[NAMES.findLast((state) => some.includes(state))!];
        for (const replica of replicas) assert.deepEqual(replica.get('token/t1', 20)?.value, expected);
        assert.deepEqual(one.get('token/t1', 20), other.get('token/t1', 20));
        cases += 1;
      }
    }
  assert.equal(cases, 36 + 3 * 4);
});
