import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PartialHead } from './partial-head.ts';

/** Passes `text` in pieces of `size` octets. Returns the end of the head, and the octets read until then. */
function collect(text: string, size: number): { readonly head: string; readonly isBare: boolean } {
  const partial = new PartialHead();
  let isBare = false;
  for (let at = 0; at < text.length; at += size) {
    const octets = partial.join(Buffer.from(text.slice(at, at + size), 'latin1'));
    const end = partial.endIn(octets, 0);
    if (end >= 0) return { head: octets.toString('latin1', 0, end), isBare };
    partial.hold(octets);
    isBare ||= partial.hasBareLineEnd();
  }
  return { head: '', isBare };
}

test('a head in pieces of any size is found', () => {
  const head = `GET / HTTP/1.1\r\nHost: a\r\nX: ${'v'.repeat(3_000)}`;
  for (const size of [1, 2, 3, 4, 5, 7, 1_000, 10_000])
    assert.deepEqual(collect(`${head}\r\n\r\nbody`, size), { head, isBare: false }, `pieces of ${size}`);
});

test('bare line ends are found wherever the pieces end', () => {
  for (const text of ['GET / HTTP/1.1\nHost: a', 'GET / HTTP/1.1\rHost: a', 'a\r\nb\r\r\n', '\nGET', 'a\r\n\nb'])
    for (const size of [1, 2, 3, 5])
      assert.ok(collect(`${text}....`, size).isBare, `${JSON.stringify(text)} by ${size}`);
});

test('returned octets are not changed by later ones', () => {
  const partial = new PartialHead();
  partial.hold(partial.join(Buffer.from('abc')));
  const octets = partial.join(Buffer.from('def\r\n\r\nrest'));
  partial.clear();
  partial.hold(partial.join(Buffer.from('ZZZZZZ')));
  assert.equal(octets.toString(), 'abcdef\r\n\r\nrest');
});
