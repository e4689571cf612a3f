import assert from 'node:assert/strict';
import { test } from 'node:test';
import { removesCookie } from './cookie-removal.ts';

const NOW_MS = Date.parse('2026-12-02T00:00:00Z');

void test('a cookie is removed by Max-Age, or by Expires without a valid Max-Age; the last one counts', () => {
  for (const [field, isRemoved] of [
    ['s=a', false],
    ['s=', false],
    ['s=; Path=/; Max-Age=0', true],
    ['s=;max-age=-1', true],
    ['s=; MAX-AGE = 0 ', true],
    ['s=a; Max-Age=60', false],
    ['s=a; Max-Age=0; Max-Age=60', false],
    ['s=a; Max-Age=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT', true],
    ['s=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/', true],
    ['s=; Expires=Thu, 01-Jan-1970 00:00:01 GMT', true],
    ['s=a; Expires=Wed, 01 Dec 2027 00:00:00 GMT', false],
    ['s=a; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60', false],
    ['s=a; Expires=never', false],
    ['s=Max-Age=0', false],
    ['s=a; X-Max-Age=0', false],
  ] as const)
    assert.equal(removesCookie(field, NOW_MS), isRemoved, field);
});
