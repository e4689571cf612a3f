/** Each failure by a limit names the limit that applied. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LimitTable } from '@rollcall/core';
import { FAILURE } from './failure.ts';
import { failureLimit } from './failure-limit.ts';
import { DEFAULT_LIMITS } from './limits.ts';

const TABLE = new LimitTable(
  { ...DEFAULT_LIMITS },
  {
    upstreamIdleMs: 5_000,
    paths: {
      '/reports': { upstreamTimeoutMs: 120_000 },
      '/odd': { upstreamTimeoutMs: 1_500 },
      '/free': { upstreamTimeoutMs: 'none' },
    },
  },
);

const CASES: readonly [failure: keyof typeof FAILURE, target: string, limit: string | undefined][] = [
  ['headTimeout', '/a', 'upstream-timeout 30s'],
  ['headTimeout', '/reports/1', 'upstream-timeout 2m (path /reports)'],
  ['headTimeout', '/odd', 'upstream-timeout 1500ms (path /odd)'],
  ['headTimeout', '/free', undefined],
  ['idle', '/reports/1', 'upstream-idle 5s'],
  ['connectTimeout', '/reports', 'connect-timeout 2s'],
  ['tooLarge', '/a', 'head-size 65536, fields 200 or interim-responses 100'],
  ['packetTooSmall', '/a', 'ajp-packet 8192'],
  ['refused', '/a', undefined],
  ['unreachable', '/a', undefined],
  ['cut', '/a', undefined],
];

for (const [name, target, expected] of CASES)
  test(`${name} at ${target} names ${expected ?? 'no limit'}`, () => {
    const request = TABLE.of(target);
    const limits = {
      ...DEFAULT_LIMITS,
      connectTimeoutMs: 2_000,
      maxFieldBytes: 65_536,
      maxFields: 200,
      maxInterim: 100,
    };
    const found = failureLimit(FAILURE[name], { request, proxy: limits }, (key) => TABLE.pathOf(request, key));
    assert.equal(found, expected);
  });
