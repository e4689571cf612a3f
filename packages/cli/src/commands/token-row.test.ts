import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TokenResource } from '@rollcall/protocol';
import { row } from './token-row.ts';

const NOW = Date.UTC(2026, 11, 1, 18, 0);
const HOUR_MS = 3_600_000;

test('the end of a token is in UTC, with the remaining time within 7 days; an expired token is marked', () => {
  const token: TokenResource = { name: 'web', id: '0', role: 'join', source: 'stored', secrets: 1, nodes: 0 };
  const expires = (expiresAtUnixMs: number) => row({ ...token, expiresAtUnixMs }, NOW)[4];
  assert.equal(row(token, NOW)[4], '-');
  assert.equal(expires(NOW + 168 * HOUR_MS + 60_000), '2026-12-08T18:01Z');
  assert.equal(expires(NOW + 168 * HOUR_MS), '2026-12-08T18:00Z (in 7d0h)');
  assert.equal(expires(NOW + 90_000), '2026-12-01T18:01Z (in 1m30s)');
  assert.equal(expires(NOW), 'expired 0ms ago');
  assert.equal(expires(NOW - 3 * HOUR_MS - 300_000), 'expired 3h05m ago');
});
