import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutPrefix } from './path-prefix.ts';
import { publicCookie } from './public-cookie.ts';

test('the prefix is taken off a target, and no other octet changes', () => {
  for (const [target, expected] of [
    ['/shop', '/'],
    ['/shop/', '/'],
    ['/shop/cart', '/cart'],
    ['/shop?a=/shop', '/?a=/shop'],
    ['/shop;v=1/a', '/;v=1/a'],
    ['/shop/shop', '/shop'],
    ['/shop/a%2Fb%20c/./d;x=1?e=%2F&f', '/a%2Fb%20c/./d;x=1?e=%2F&f'],
    ['/shop//a//', '//a//'],
  ] as const)
    assert.equal(withoutPrefix(target, '/shop'), expected, target);
  assert.equal(withoutPrefix('/a/b/c?d', '/a/b'), '/c?d');
});

test('the prefix is put back on the path of a cookie, and no other octet changes', () => {
  for (const [value, expected] of [
    ['a=1; Path=/', 'a=1; Path=/shop'],
    ['a=1; Path=/cart', 'a=1; Path=/shop/cart'],
    ['a=1;PATH = /cart/ ;httponly', 'a=1;PATH = /shop/cart/ ;httponly'],
    ['a="/;x"; path=/; Path=/b', 'a="/;x"; path=/shop; Path=/shop/b'],
    // A program that uses X-Forwarded-Prefix.
    ['a=1; Path=/shop', 'a=1; Path=/shop'],
    ['a=1; Path=/shop/cart', 'a=1; Path=/shop/cart'],
    ['a=1; Path=/shopping', 'a=1; Path=/shop/shopping'],
    // The browser uses the path of the request.
    ['a=1', 'a=1'],
    ['a=1; Path', 'a=1; Path'],
    ['a=1; Path=', 'a=1; Path='],
    ['a=1; Path="/"', 'a=1; Path="/"'],
    // No attribute of this name.
    ['Path=/', 'Path=/'],
    ['a=Path=/', 'a=Path=/'],
    ['a=1; XPath=/; Domain=Path=/', 'a=1; XPath=/; Domain=Path=/'],
    // Browsers refuse this cookie with another path.
    ['__Host-a=1; Path=/; Secure', '__Host-a=1; Path=/; Secure'],
    ['__host-a=1; Path=/; Secure', '__host-a=1; Path=/; Secure'],
  ] as const)
    assert.equal(publicCookie(value, { rewriteCookies: [], rewriteRoute: '', prefix: '/shop' }), expected);
  const both = { rewriteCookies: ['a'], rewriteRoute: 'n1', prefix: '/shop' };
  assert.equal(publicCookie('a=1; Path=/', both), 'a=1.n1; Path=/shop');
});
