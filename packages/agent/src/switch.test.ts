import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSwitchedOff } from './switch.ts';

test('off by ROLLCALL_URL, and in test runners without a configured coordinator', () => {
  for (const environment of [
    { ROLLCALL_URL: 'off' },
    { ROLLCALL_URL: ' OFF ', ROLLCALL_NODE: '{}' },
    { NODE_ENV: 'test' },
    { JEST_WORKER_ID: '1', ROLLCALL_URL: '' },
    { VITEST: 'true' },
  ])
    assert.equal(isSwitchedOff(environment), true, JSON.stringify(environment));
  for (const environment of [
    {},
    { NODE_ENV: 'production' },
    { NODE_ENV: 'test', ROLLCALL_URL: 'ws://localhost:8400' },
    { JEST_WORKER_ID: '1', ROLLCALL_NODE: '{}' },
    { ROLLCALL_URL: 'ws://off:8400' },
  ])
    assert.equal(isSwitchedOff(environment), false, JSON.stringify(environment));
});
