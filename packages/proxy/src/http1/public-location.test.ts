import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparableAuthority } from './authority.ts';
import { type PublicPlace, publicLocation, publicRefresh } from './public-location.ts';

const PUBLIC = 'https://shop.example';

/** A request without a prefix. `nodes` are the addresses of the balancer with the prefix of each. */
function place(nodes: Readonly<Record<string, string>>, differs: Partial<PublicPlace> = {}): PublicPlace {
  const prefixes = new Map(Object.entries(nodes).map(([node, prefix]) => [comparableAuthority(node, ''), prefix]));
  return {
    publicOrigin: PUBLIC,
    prefix: '',
    target: '/',
    prefixAt: (authority) => prefixes.get(authority),
    ...differs,
  };
}

test("the node's own address in every spelling becomes the public one", () => {
  for (const [value, node] of [
    ['http://10.0.0.5:3000/a?b#c', '10.0.0.5:3000'],
    ['HTTP://10.0.0.5:3000/a?b#c', '10.0.0.5:3000'],
    ['https://10.0.0.5:3000/a?b#c', '10.0.0.5:3000'],
    ['//10.0.0.5:3000/a?b#c', '10.0.0.5:3000'],
    ['http://user:secret@10.0.0.5:3000/a?b#c', '10.0.0.5:3000'],
    ['http://App-1.internal/a?b#c', 'app-1.internal:80'],
    ['http://app-1.internal:80/a?b#c', 'app-1.internal:80'],
    ['https://app-1.internal/a?b#c', 'app-1.internal:443'],
    ['//app-1.internal/a?b#c', 'app-1.internal:80'],
    ['//app-1.internal/a?b#c', 'app-1.internal:443'],
    ['http://[fe80::1]:3000/a?b#c', '[fe80::1]:3000'],
    ['http://localhost:3000/a?b#c', '127.0.0.1:3000'],
    ['http://127.0.0.1:3000/a?b#c', 'localhost:3000'],
    ['http://[::1]:3000/a?b#c', '127.0.0.1:3000'],
    ['http://APP-1.internal.:3000/a?b#c', 'app-1.internal:3000'],
    ['http://app-1.internal:03000/a?b#c', 'app-1.internal:3000'],
    ['http://app-1.internal:/a?b#c', 'app-1.internal:80'],
    ['https://app-1.internal:/a?b#c', 'app-1.internal:443'],
    ['http://[FE80:0:0:0::1]:3000/a?b#c', '[fe80::1]:3000'],
    ['http://[fe80::1]:3000/a?b#c', '[fe80:0:0:0:0:0:0:1]:3000'],
    ['http://[::ffff:10.0.0.5]:3000/a?b#c', '[::ffff:a00:5]:3000'],
  ] as const)
    assert.equal(publicLocation(value, place({ [node]: '' })), `${PUBLIC}/a?b#c`, value);
  assert.equal(publicLocation('http://10.0.0.5:3000', place({ '10.0.0.5:3000': '' })), PUBLIC);
  assert.equal(publicLocation('http://10.0.0.5:3000?x', place({ '10.0.0.5:3000': '' })), `${PUBLIC}?x`);
});

test('a relative value, or one with another address, is not changed', () => {
  for (const value of [
    '/a',
    'a',
    '?a',
    '',
    '../a',
    'mailto:a@b',
    'ftp://10.0.0.5:3000/',
    'http:/10.0.0.5:3000/',
    'http://10.0.0.5:3001/',
    'http://10.0.0.5/',
    '//10.0.0.5/',
    'http://10.0.0.5:30001/',
    'http://10.0.0.5:3000.evil.example/',
    'http://10.0.0.5:3000@evil.example/',
    'http://x10.0.0.5:3000/',
    'https://evil.example/?to=http://10.0.0.5:3000/',
    'http://localhost:3000/',
    'javascript://10.0.0.5:3000/%0a',
  ])
    assert.equal(publicLocation(value, place({ '10.0.0.5:3000': '' })), value, value);
});

test('Refresh carries its URL behind the seconds', () => {
  const node = '10.0.0.5:3000';
  for (const [value, expected] of [
    ['5; url=http://10.0.0.5:3000/a', `5; url=${PUBLIC}/a`],
    ['0;URL="http://10.0.0.5:3000/a"', `0;URL="${PUBLIC}/a"`],
    ["0, url='http://10.0.0.5:3000/'", `0, url='${PUBLIC}/'`],
    ['5; http://10.0.0.5:3000/a', `5; ${PUBLIC}/a`],
    ["5,'http://10.0.0.5:3000/a'", `5,'${PUBLIC}/a'`],
    ['5 http://10.0.0.5:3000/a', `5 ${PUBLIC}/a`],
    ['5; url = http://10.0.0.5:3000/a', `5; url = ${PUBLIC}/a`],
    ['5; http://other/?url=http://10.0.0.5:3000/', '5; http://other/?url=http://10.0.0.5:3000/'],
    ['5', '5'],
    ['5; url=/a', '5; url=/a'],
    ['5; url=http://other/', '5; url=http://other/'],
  ] as const)
    assert.equal(publicRefresh(value, place({ [node]: '' })), expected);
});

test('an address of any node of the balancer becomes public, with the prefix of that node', () => {
  const nodes = { '10.0.0.5:3000': '/shop', '10.0.0.6:3000': '', 'app-3.internal:443': '/shop' };
  for (const [value, expected] of [
    ['http://10.0.0.5:3000/a', `${PUBLIC}/shop/a`],
    ['http://10.0.0.6:3000/a', `${PUBLIC}/a`],
    ['http://10.0.0.6:3000/shop/a', `${PUBLIC}/shop/a`],
    ['https://app-3.internal/a?b', `${PUBLIC}/shop/a?b`],
    ['//app-3.internal/a', `${PUBLIC}/shop/a`],
    ['http://10.0.0.7:3000/a', 'http://10.0.0.7:3000/a'],
    ['http://10.0.0.5:3001/a', 'http://10.0.0.5:3001/a'],
  ] as const)
    for (const prefix of ['', '/shop'])
      assert.equal(publicLocation(value, place(nodes, { prefix, target: '/shop/x' })), expected, `${value} ${prefix}`);
});

test('the prefix of the request is put back on every form of a reference', () => {
  const nodes = { '10.0.0.5:3000': '/shop' };
  for (const [target, value, expected] of [
    ['/shop/cart', '/login?a=/b#c', '/shop/login?a=/b#c'],
    ['/shop/cart', '/', '/shop/'],
    ['/shop', '/', '/shop/'],
    ['/shop/cart', '/shopping', '/shop/shopping'],
    // A program that uses X-Forwarded-Prefix.
    ['/shop/cart', '/shop/login', '/shop/login'],
    ['/shop/cart', '/shop', '/shop'],
    ['/shop/cart', '/shop?a', '/shop?a'],
    // Dot segments end at the root of the node.
    ['/shop/cart', '/../x', '/shop/x'],
    ['/shop/cart', '/shop/../../x', '/shop/x'],
    ['/shop/cart', '/a/%2E%2e/b/.', '/shop/b/'],
    ['/shop/cart', '/a/..?u=/../b', '/shop/?u=/../b'],
    ['/shop/cart', '/\\evil.example', '/shop/\\evil.example'],
    // Relative to the path of the request: changed only if the client would resolve it to another place.
    ['/shop/cart', 'pay', 'pay'],
    ['/shop/cart/', 'pay', 'pay'],
    ['/shop/', 'pay', 'pay'],
    ['/shop', 'pay', '/shop/pay'],
    ['/shop?a=/b', 'pay?c', '/shop/pay?c'],
    ['/shop;v=1', 'pay', '/shop/pay'],
    ['/shop/a/b', '../pay', '/shop/pay'],
    ['/shop/a', '../../pay', '/shop/pay'],
    ['/shop/a', './pay', '/shop/pay'],
    ['/shop/a', '?page=2', '?page=2'],
    ['/shop', '#top', '#top'],
    ['/shop', '', ''],
    ['/shop', 'mailto:a@b', 'mailto:a@b'],
    // The node's own address, and the public one of a program that reads Host.
    ['/shop/cart', 'http://10.0.0.5:3000', `${PUBLIC}/shop`],
    ['/shop/cart', 'http://10.0.0.5:3000?a', `${PUBLIC}/shop?a`],
    ['/shop/cart', 'https://shop.example/login', `${PUBLIC}/shop/login`],
    ['/shop/cart', 'http://shop.example/login', 'http://shop.example/shop/login'],
    ['/shop/cart', 'https://SHOP.example.:443/login', 'https://SHOP.example.:443/shop/login'],
    ['/shop/cart', '//shop.example/login', '//shop.example/shop/login'],
    ['/shop/cart', 'https://shop.example/shop/login', `${PUBLIC}/shop/login`],
    ['/shop/cart', 'https://shop.example', `${PUBLIC}/shop`],
    ['/shop/cart', 'https://shop.example:8443/login', 'https://shop.example:8443/login'],
    ['/shop/cart', 'https://other.example/login', 'https://other.example/login'],
    ['/shop//other.example', '//other.example/', '//other.example/'],
  ] as const)
    assert.equal(publicLocation(value, place(nodes, { prefix: '/shop', target })), expected, `${target} ${value}`);
  for (const [value, expected] of [
    ['0;url=/login', '0;url=/shop/login'],
    ["0; URL='/shop'", "0; URL='/shop'"],
    ['5; url="/login" x', '5; url="/shop/login" x'],
    ['5', '5'],
  ] as const)
    assert.equal(publicRefresh(value, place(nodes, { prefix: '/shop', target: '/shop/cart' })), expected);
});

test('without Host only the prefix is put back', () => {
  const nodes = { '10.0.0.5:3000': '/shop' };
  for (const [value, expected] of [
    ['/login', '/shop/login'],
    ['http://10.0.0.5:3000/login', 'http://10.0.0.5:3000/login'],
  ] as const)
    assert.equal(publicLocation(value, place(nodes, { publicOrigin: '', prefix: '/shop', target: '/shop' })), expected);
});
