import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWorthReporting } from './worth-reporting.ts';

test('a change of the load by 0.1 requires an early heartbeat', () => {
  assert.equal(isWorthReporting({ load: 0.5 }, { load: 0.59 }), false);
  assert.equal(isWorthReporting({ load: 0.5 }, { load: 0.65 }), true);
  assert.equal(isWorthReporting({ load: 0.5 }, { load: 0.35 }), true);
  assert.equal(isWorthReporting({}, { load: 0 }), false);
});

test('a change of requests or sessions by half and by 8 requires an early heartbeat', () => {
  assert.equal(isWorthReporting({ inFlight: 0 }, { inFlight: 7 }), false);
  assert.equal(isWorthReporting({ inFlight: 0 }, { inFlight: 8 }), true);
  assert.equal(isWorthReporting({ inFlight: 100 }, { inFlight: 140 }), false);
  assert.equal(isWorthReporting({ inFlight: 100 }, { inFlight: 50 }), true);
  assert.equal(isWorthReporting({ sessions: 100 }, { sessions: 151 }), true);
});
