import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalHost } from './canonical-host.ts';
import { parseHostPattern } from './ids.ts';

test('each spelling of a host has one canonical form', () => {
  for (const [canonical, ...spellings] of [
    ['shop.example', 'SHOP.example', 'shop.example.', 'Shop.Example.'],
    ['localhost', 'LOCALHOST', 'localhost.'],
    ['10.0.0.5', '10.0.0.5.'],
    ['[::1]', '[0:0:0:0:0:0:0:1]', '[0::1]', '[::0001]', '[::0.0.0.1]'],
    ['[fe80::a]', '[FE80::A]', '[fe80:0:0:0:0:0:0:a]', '[fe80::000a]'],
    ['[2001:db8::1:0:0:1]', '[2001:db8:0:0:1:0:0:1]', '[2001:DB8::1:0:0:1]'],
    ['[::ffff:a00:5]', '[::ffff:10.0.0.5]', '[0:0:0:0:0:FFFF:10.0.0.5]'],
    ['*', '*'],
    ['*.shop.example', '*.Shop.example', '*.shop.example.'],
  ] as const)
    for (const spelling of [canonical, ...spellings]) {
      assert.equal(canonicalHost(spelling), canonical, spelling);
      assert.equal(parseHostPattern(spelling), canonical, spelling);
    }
});

test('other hosts stay different', () => {
  for (const [one, other] of [
    ['shop.example', 'shop.example..'],
    ['shop.example', 'shop-example'],
    ['', '.'],
    ['[::1]', '[::2]'],
    ['[fe80::1%25a]', '[fe80::1%25b]'],
    ['[::1', '[::1]'],
  ] as const)
    assert.notEqual(canonicalHost(one), canonicalHost(other), `${one} ${other}`);
  for (const refused of ['.', 'shop.example..', '*.', '*..', 'shop.example:80'])
    assert.equal(parseHostPattern(refused), undefined, refused);
});
