import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeldTime } from './held-time.ts';

test('the allowance is used up by waiting agents and grows back while none waits', () => {
  const held = new HeldTime();
  let takenMs = 0;
  for (let i = 1; i <= 1_000; i++) takenMs += held.take(250, i * 250);
  assert.equal(takenMs, 180_000);
  assert.equal(held.take(250, 250_250), 0);
  assert.equal(held.take(250, 260_500), 250);
  assert.equal(held.take(1_000, 261_500), 750);
});
