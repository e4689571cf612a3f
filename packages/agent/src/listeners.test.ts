import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Listeners } from './listeners.ts';

test('listeners run after the emitting step, in order, until they are removed', async () => {
  const listeners = new Listeners<{ change: number }>();
  const seen: string[] = [];
  const second = (value: number) => seen.push(`second ${value}`);
  listeners.on('change', (value) => seen.push(`first ${value}`));
  listeners.on('change', second);
  assert.equal(listeners.emit('change', 1), 2);
  assert.deepEqual(seen, []);
  await Promise.resolve();
  assert.deepEqual(seen, ['first 1', 'second 1']);
  listeners.off('change', second);
  assert.equal(listeners.emit('change', 2), 1);
});

test('an error event without a listener throws nothing', () => {
  assert.equal(new Listeners<{ error: Error }>().emit('error', new Error('no listener')), 0);
});
