import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frontFlags } from './front-flags.ts';

test('--via is a switch, on by default', () => {
  assert.equal(frontFlags({}).addsVia, true);
  for (const via of ['on', 'ON', 'yes']) assert.equal(frontFlags({ via }).addsVia, true, via);
  for (const via of ['off', 'no', '0']) assert.equal(frontFlags({ via }).addsVia, false, via);
  assert.throws(() => frontFlags({ via: 'full' }), { message: '--via "full": write on or off' });
});

test('--traceparent is pass or make, pass by default', () => {
  assert.equal(frontFlags({}).makesTraces, false);
  assert.equal(frontFlags({ traceparent: 'make' }).makesTraces, true);
  assert.throws(() => frontFlags({ traceparent: 'on' }), { message: '--traceparent on is not one of pass, make' });
});
