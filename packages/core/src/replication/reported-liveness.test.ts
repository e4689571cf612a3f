import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportedLiveness } from './reported-liveness.ts';

const LEASE_MS = 20_000;
const NOW_MS = 100_000;

/** Each coordinator as `name`, or `name@seconds` if it was found to be down at that time. All report the node's instance, those with `!` another one. */
const CASES: readonly [reports: string, expected: string][] = [
  ['', 'gone'],
  ['b', 'up by b'],
  ['c b', 'up by b c'],
  ['b@90', 'suspect until 110'],
  ['b@90 c@95', 'suspect until 115'],
  ['b@90 c', 'up by c'],
  ['b@80', 'gone'],
  ['b!', 'gone'],
  ['b! c@90', 'suspect until 110'],
  ['b!@95 c@90', 'suspect until 110'],
];

for (const [text, expected] of CASES)
  test(`reports of ${text || 'no coordinator'}: ${expected}`, () => {
    const down = new Map<string, number>();
    const reports = text
      .split(' ')
      .filter((part) => part !== '')
      .map((part) => {
        const [name, seconds] = part.split('@');
        const coordinator = name!.replace('!', '');
        if (seconds !== undefined) down.set(coordinator, Number(seconds) * 1_000);
        return { coordinator, instance: name!.endsWith('!') ? 'other' : 'i' };
      });
    const found = reportedLiveness(
      { instance: 'i', reports, downAtMs: (id) => down.get(id), leaseMs: LEASE_MS },
      NOW_MS,
    );
    const shown =
      found.liveness === 'up'
        ? `up by ${found.by.join(' ')}`
        : found.liveness === 'suspect'
          ? `suspect until ${found.untilMs / 1_000}`
          : 'gone';
    assert.equal(shown, expected);
  });
