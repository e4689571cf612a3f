import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeUrlText, toRegistration, withEnvironment } from './registration.ts';

const FACTS = { id: 'n1', route: 'n1', url: 'http://127.0.0.1:3000', instance: '0'.repeat(32), incarnation: 1 };

test('a description becomes a registration with defaults', () => {
  const node = toRegistration({ contexts: ['/app'], sticky: { mode: 'suffix' } }, { ...FACTS, keepAliveMs: 5_000 });
  assert.ok(!('code' in node));
  assert.equal(node.balancer, 'default');
  assert.deepEqual(node.contexts, [{ path: '/app' }]);
  assert.deepEqual(node.hosts, ['*']);
  assert.equal(node.keepAliveMs, 5_000);
});

test('a context may have hosts of its own', () => {
  const node = toRegistration({ contexts: ['/app', { path: '/', hosts: ['Shop.example'] }] }, FACTS);
  assert.ok(!('code' in node));
  assert.deepEqual(node.contexts, [{ path: '/app' }, { path: '/', hosts: ['shop.example'] }]);
  const wrong = toRegistration({ contexts: [{ path: '/', hosts: ['a b'] }] }, FACTS);
  assert.match('code' in wrong ? wrong.message : '', /contexts\[0\]\.hosts\[0\] is not a host name/);
});

test('invalid fields are found with the rules of the coordinator, and named', () => {
  const bad = toRegistration({ balancer: 'my shop' }, FACTS);
  assert.ok('code' in bad);
  assert.equal(bad.code, 'bad-name');
  assert.match(bad.message, /balancer/);
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  assert.ok('code' in toRegistration({ meta: cyclic as Record<string, string> }, FACTS));
});

test('variables of the wrapper have precedence over options', () => {
  const environment = { ROLLCALL_NODE_ID: 'w1', ROLLCALL_ROUTE: 'r1' };
  assert.deepEqual(withEnvironment({ id: 'mine', balancer: 'shop', group: 'eu' }, environment), {
    id: 'w1',
    route: 'r1',
    balancer: 'shop',
    group: 'eu',
  });
  assert.deepEqual(withEnvironment({ id: 'mine' }, { ROLLCALL_NODE_ID: '' }), { id: 'mine' });
});

test('IPv6 addresses get brackets', () => {
  assert.equal(nodeUrlText('::1', 80, false), 'http://[::1]:80');
  assert.equal(nodeUrlText('10.0.0.5', 443, true), 'https://10.0.0.5:443');
});
