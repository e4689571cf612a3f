import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeRegistration, TokenBindings } from '@rollcall/protocol';
import { parseIp } from '../network/addresses.ts';
import { bindingsText, judgeAddress, judgeRegistration, listsPlaces, readBindings } from './bindings.ts';

const NODE = {
  id: 'shop-1',
  balancer: 'shop',
  hosts: ['shop.example.net'],
  contexts: [{ path: '/shop' }],
  weight: 1,
} as unknown as NodeRegistration;

function judge(bindings: TokenBindings, change: object = {}, otherNodes = 0): string | undefined {
  return judgeRegistration({ name: 'web', bindings }, { node: { ...NODE, ...change }, otherNodes })?.message;
}

/** Bindings, an allowed registration, a refused one, and the text of the refusal. */
const CASES: readonly (readonly [TokenBindings, object, object, RegExp])[] = [
  [{ balancers: ['shop', 'cart'] }, {}, { balancer: 'shops' }, /bound to balancer shop, cart: shops is not one/],
  [
    { hosts: ['shop.example.net'] },
    {},
    { hosts: ['shop.example.net', '*'] },
    /host shop.example.net: \* is not within/,
  ],
  [
    { hosts: ['shop.example.net'] },
    { hosts: ['*'], contexts: [{ path: '/', hosts: ['shop.example.net'] }] },
    { contexts: [{ path: '/shop' }, { path: '/', hosts: ['a.example.net'] }] },
    /host shop.example.net: a.example.net is not within/,
  ],
  [{ hosts: ['*.example.net'] }, {}, { hosts: ['example.net'] }, /: example.net is not within/],
  [{ hosts: ['*.example.net'] }, { hosts: ['*.a.example.net'] }, { hosts: ['shop.example.net.evil'] }, /evil is not/],
  [{ hosts: ['*'] }, { hosts: ['*'] }, { balancer: 'x', hosts: [] }, /never/],
  [
    { contexts: ['/shop'] },
    { contexts: [{ path: '/shop/a' }] },
    { contexts: [{ path: '/shopping' }] },
    /\/shopping is/,
  ],
  [{ contexts: ['/shop'] }, {}, { contexts: [{ path: '/shop' }, { path: '/' }] }, /: \/ is not within/],
  [{ contexts: ['/'] }, { contexts: [{ path: '/login' }] }, { contexts: [] }, /never/],
  [{ nodeIds: ['shop-*'] }, {}, { id: 'cart-1' }, /bound to node shop-\*: the id cart-1 does not match/],
  [{ nodeIds: ['*-1', 'x'] }, {}, { id: 'shop-12' }, /does not match/],
  [{ nodeIds: ['s*p*1'] }, {}, { id: 's1' }, /does not match/],
  [{ nodeIds: ['a*a'] }, { id: 'aa' }, { id: 'a' }, /does not match/],
  [{ maxWeight: 2 }, { weight: 2 }, { weight: 2.01 }, /max-weight 2: the node announces 2.01/],
];

test('each binding refuses values outside it, and is named', () => {
  for (const [bindings, within, outside, text] of CASES) {
    assert.equal(judge(bindings, within), undefined, JSON.stringify([bindings, within]));
    if (text.source !== 'never') assert.match(judge(bindings, outside) ?? 'accepted', text, JSON.stringify(outside));
  }
  assert.match(
    judge({ nodes: 2 }, {}, 2) ?? '',
    /token web is bound to nodes 2: 2 are present .*rollcall token set web --nodes/,
  );
  assert.equal(judge({ nodes: 2 }, {}, 1), undefined);
  assert.match(judge({ nodes: 0 }) ?? '', /nodes 0: 0 are present/);
  assert.equal(judge({}), undefined);
});

test('all bindings must match, and an empty list allows nothing', () => {
  assert.match(judge({ balancers: ['shop'], contexts: ['/a'] }) ?? '', /context/);
  assert.match(judge({ balancers: [] }) ?? '', /bound to balancer \(none\)/);
});

test('a refusal is short although a binding has many entries', () => {
  const balancers = Array.from({ length: 64 }, (_, i) => `b${i}`.padEnd(64, 'x'));
  const message = judge({ balancers }) ?? '';
  assert.match(message, /and 61 more/);
  assert.ok(message.length < 500);
});

test('a token is valid only from its addresses, also for IPv4 in IPv6 form', () => {
  const token = { name: 'web', bindings: { addresses: ['10.0.0.0/8', '2001:db8::/32'] } };
  for (const ok of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::1'])
    assert.equal(judgeAddress(token, parseIp(ok)), undefined);
  for (const no of ['11.0.0.1', '::1'])
    assert.match(judgeAddress(token, parseIp(no))?.message ?? '', /web is bound to address/);
  assert.equal(judgeAddress(token, undefined)?.code, 'forbidden');
});

test('bindings are parsed strictly, and each error is named', () => {
  const good = { balancers: ['shop'], hosts: ['Shop.Example.net'], contexts: ['/a'], nodeIds: ['a-*'], nodes: 3 };
  assert.deepEqual(readBindings(good), { ...good, hosts: ['shop.example.net'] });
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [[], /not an object/],
    [{ balancer: ['x'] }, /balancer is not a binding/],
    [{ balancers: 'shop' }, /balancers is not a list/],
    [{ hosts: ['a b'] }, /hosts: "a b"/],
    [{ contexts: ['a'] }, /contexts: "a"/],
    [{ nodeIds: ['a.b'] }, /nodeIds: "a\.b"/],
    [{ addresses: ['10.0.0.0/99'] }, /addresses: "10/],
    [{ addresses: [5] }, /addresses: 5/],
    [{ nodes: 1.5 }, /nodes is not a whole number/],
    [{ nodes: -1 }, /nodes is not/],
    [{ maxWeight: 0 }, /maxWeight is not/],
    [{ balancers: Array.from({ length: 65 }, () => 'a') }, /at most 64/],
    [{ __proto__: null, toString: ['a'] }, /toString is not a binding/],
  ];
  for (const [value, text] of bad) {
    const read = readBindings(value);
    assert.match('code' in read ? read.message : 'accepted', text);
  }
});

test('bindings as text, and whether they list hosts or contexts', () => {
  assert.equal(bindingsText({ balancers: ['shop'], nodes: 2, maxWeight: 3 }), 'balancer shop; nodes 2; max-weight 3');
  assert.equal(bindingsText(), '');
  assert.deepEqual(
    [listsPlaces({ hosts: [] }), listsPlaces({ contexts: ['/'] }), listsPlaces({ nodes: 1 })],
    [true, true, false],
  );
});
