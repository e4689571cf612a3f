import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { systemTimers } from './timers.ts';

test('timers run when a test runner has replaced the global ones', async (t) => {
  // As in Jest's jsdom: a number instead of an object with unref(), and timers do not run.
  const replaced = mock.method(globalThis, 'setTimeout', () => 1);
  t.after(() => replaced.mock.restore());
  await new Promise<void>((resolve) => systemTimers().after(1, resolve, { keepsProcess: true }));
  systemTimers().after(60_000, () => assert.fail('not cancelled'))();
  assert.equal(replaced.mock.callCount(), 0);
});
