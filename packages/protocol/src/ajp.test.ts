import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AJP_CPONG, isAjpPong } from './ajp.ts';

test('an answer is CPONG only with all its octets', () => {
  for (let end = 0; end < AJP_CPONG.length; end++) assert.equal(isAjpPong(AJP_CPONG.subarray(0, end)), undefined);
  assert.equal(isAjpPong(AJP_CPONG), true);
  assert.equal(isAjpPong(Uint8Array.of(...AJP_CPONG, 1)), true);
  for (let at = 0; at < AJP_CPONG.length; at++) {
    const other = Uint8Array.from(AJP_CPONG);
    other[at] = 0xff;
    assert.equal(isAjpPong(other.subarray(0, at + 1)), false);
  }
});
