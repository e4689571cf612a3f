import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestCases } from './case-corpus.fixture.ts';
import { RequestReader } from './request-reader.fixture.ts';

/** The result of a reader for `octets` in pieces of `size`. */
function readBy(octets: string, size: number): object {
  const reader = new RequestReader();
  const whole = Buffer.from(octets, 'latin1');
  for (let at = 0; at < whole.length; at += size) reader.push(whole.subarray(at, at + size));
  return { requests: reader.requests, refusal: reader.refusal > 0 };
}

const cases = requestCases();

test('every request case has the same result octet by octet', () => {
  assert.ok(cases.length > 200, `${cases.length} cases`);
  for (const { id, octets } of cases) {
    const whole = readBy(octets, octets.length);
    for (const size of [1, 2, 3, 7, 64]) {
      if (octets.length > 20_000 && size < 64) continue;
      assert.deepEqual(readBy(octets, size), whole, `${id} in pieces of ${size}`);
    }
  }
});
