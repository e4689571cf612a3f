import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isName } from '@rollcall/protocol';
import fc from 'fast-check';
import { decodeName, encodeName, isCookieText } from './node-name.ts';

void test('a name in our alphabet stays as it is', () => {
  for (const name of ['tomcat1', 'node_1', 'a-b', '0b3d8f0e-7c0c-3a51-9d8a-2f6e5f1b7c11', 'x--y', '--'])
    assert.equal(encodeName(name), name);
});

void test('other characters are escaped', () => {
  assert.equal(encodeName('node.1:8080'), 'node--2e1--3a8080');
  assert.equal(encodeName('x--2e'), 'x--2d-2e');
  assert.equal(encodeName('constructor'), '--63onstructor');
  assert.equal(encodeName(''), undefined);
  assert.equal(encodeName('.'.repeat(17)), undefined);
  assert.equal(encodeName('€'), undefined);
});

void test('the encoding is reversible, and its result is a name', () => {
  const text = fc
    .array(
      fc.oneof(
        fc.constantFrom('-', '--', '2', 'e', '2e', '.', 'a', '_'),
        fc.nat(255).map((code) => String.fromCharCode(code)),
      ),
      {
        maxLength: 20,
      },
    )
    .map((parts) => parts.join(''));
  let encoded = 0;
  fc.assert(
    fc.property(text, (name) => {
      const made = encodeName(name);
      if (made === undefined) return;
      encoded += 1;
      assert.ok(isName(made), made);
      assert.equal(decodeName(made), name);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(encoded > 500, `${encoded}`);
});

void test('two names never have the same encoding', () => {
  const parts = ['-', '--', '2e', '--2e', '.', '2d', 'a'];
  const made = new Map<string, string>();
  for (const one of parts)
    for (const two of parts)
      for (const three of parts)
        for (const four of parts) {
          const text = one + two + three + four;
          const name = encodeName(text)!;
          assert.equal(made.get(name) ?? text, text);
          made.set(name, text);
        }
});

void test('cookie text is what a session cookie may carry', () => {
  for (const text of ['a', 'node.1:8080', "x/y!#$&'()*+", '[::1]']) assert.ok(isCookieText(text), text);
  for (const text of ['', 'a b', 'a;b', 'a,b', 'a"b', 'a\\b', '\xe9', 'a\x7f']) assert.ok(!isCookieText(text), text);
});
