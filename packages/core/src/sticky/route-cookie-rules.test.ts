import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FIRST_ROUTE_COOKIE,
  parseBalancerName,
  type RouteCookiePatch,
  type RouteCookieSettings,
} from '@rollcall/protocol';
import { startSettingsMistake } from '../registry/balancer-settings.ts';
import { Registry } from '../registry/registry.ts';
import { asSettingKey, routeCookieMistake } from './route-cookie-rules.ts';

const SHOP = parseBalancerName('shop')!;
const SECURE = { secure: 'always' } as const;

/** Settings, and the setting that the sentence names; `undefined` for settings that keep all rules. */
const CASES: readonly (readonly [Partial<RouteCookieSettings>, RegExp | undefined])[] = [
  [{}, undefined],
  [{ sameSite: 'Strict' }, undefined],
  [{ domain: 'example.com', path: '/app' }, undefined],
  [{ domain: 'com' }, /Domain=com,.*route-cookie-domain=/],
  [{ domain: 'localhost', path: '/app' }, /Domain=localhost,.*route-cookie-domain=/],
  [{ domain: 'app.localhost' }, undefined],
  [{ sameSite: 'None' }, /SameSite=None .*route-cookie-secure=always/],
  [{ sameSite: 'None', ...SECURE }, undefined],
  [{ partitioned: true }, /Partitioned .*route-cookie-secure=always/],
  [{ partitioned: true, ...SECURE }, undefined],
  [{ name: '__Secure-id' }, /__Secure-id.*route-cookie-secure=always/],
  [{ name: '__Secure-id', domain: 'example.com', ...SECURE }, undefined],
  [{ name: '__Http-id' }, /route-cookie-secure=always/],
  [{ name: '__Http-id', ...SECURE }, undefined],
  [{ name: '__Host-id', path: '/' }, /route-cookie-secure=always/],
  [{ name: '__Host-id', ...SECURE }, /route-cookie-path=\//],
  [{ name: '__Host-id', path: '/app', ...SECURE }, /route-cookie-path=\//],
  [{ name: '__Host-id', path: '/', domain: 'example.com', ...SECURE }, /route-cookie-domain/],
  [{ name: '__host-id', path: '/', domain: 'example.com', ...SECURE }, /route-cookie-domain/],
  [{ name: '__Host-Http-id', ...SECURE }, /route-cookie-path=\//],
  [{ name: '__Host-id', path: '/', ...SECURE }, undefined],
  [{ name: '__Hostess' }, undefined],
  [{ name: 'JSESSIONID' }, /JSESSIONID.*route-cookie-name/],
  [{ name: 'connect.sid', ...SECURE }, /connect\.sid.*route-cookie-name/],
  [{ name: 'jsessionid' }, undefined],
  [{ name: 'rollcall_login_8400' }, /route-cookie-name/],
];

void test('settings that browsers or the proxy would not follow are refused by name', () => {
  for (const [settings, expected] of CASES) {
    const mistake = routeCookieMistake({ ...FIRST_ROUTE_COOKIE, ...settings }, ['JSESSIONID', 'connect.sid']);
    assert.match(mistake?.text(asSettingKey) ?? 'none', expected ?? /^none$/, JSON.stringify(settings));
  }
});

void test('settings of a start and of an operator are refused alike, and change nothing', () => {
  for (const [routeCookie, expected] of CASES) {
    const label = JSON.stringify(routeCookie);
    for (const name of ['*', SHOP] as const) {
      const found = startSettingsMistake([{ name, source: 'flag', patch: { sticky: { routeCookie } } }]);
      assert.match(found?.mistake ?? 'none', expected ?? /^none$/, label);
      if (found) assert.equal(found.name, name);
    }
    const registry = withShop();
    const before = JSON.stringify(registry.balancerResource(SHOP));
    const outcome = registry.apply(operator(routeCookie), 0);
    assert.match('type' in outcome ? outcome.message : 'none', expected ?? /^none$/, label);
    if (expected) assert.equal(JSON.stringify(registry.balancerResource(SHOP)), before, label);
  }
});

void test('settings of several sources are judged together', () => {
  const secure = { name: '*', source: 'file', patch: { sticky: { routeCookie: SECURE } } } as const;
  const none = { name: SHOP, source: 'flag', patch: { sticky: { routeCookie: { sameSite: 'None' } } } } as const;
  assert.equal(startSettingsMistake([secure, none]), undefined);
  assert.equal(startSettingsMistake([none])?.name, SHOP);
  const cookies = { name: SHOP, source: 'file', patch: { sticky: { cookies: ['mine'] } } } as const;
  const named = { name: '*', source: 'flag', patch: { sticky: { routeCookie: { name: 'mine' } } } } as const;
  assert.equal(startSettingsMistake([named]), undefined);
  assert.equal(startSettingsMistake([cookies, named])?.name, SHOP);
});

void test('an operator can neither add nor take away what breaks a rule', () => {
  const registry = withShop();
  assert.ok(!('type' in registry.apply(operator({ sameSite: 'None', ...SECURE }), 0)));
  assert.ok('type' in registry.apply(operator({ secure: null }), 0));
  assert.ok(!('type' in registry.apply(operator({ secure: null, sameSite: null }), 0)));
});

void test('stored settings that no longer keep a rule are not in force, and their origin has the reason', () => {
  const registry = withShop();
  const flag = (secure: 'always' | null): void => {
    const patch = { sticky: { routeCookie: { secure } } };
    registry.apply({ type: 'balancer-settings', name: '*', source: 'flag', patch, by: 'flag' }, 0);
  };
  flag('always');
  registry.apply(operator({ sameSite: 'None' }), 0);
  assert.equal(registry.balancerResource(SHOP)?.sticky.routeCookie.sameSite, 'None');
  flag(null);
  const shop = registry.balancerResource(SHOP);
  assert.equal(shop?.sticky.routeCookie.sameSite, 'Lax');
  assert.match(shop?.origins['sticky.routeCookie.sameSite'] ?? '', /^default, because browsers refuse SameSite=None/);
});

void test('the cookie has the name of the cluster from the moment its id is known, and the default name is still read', () => {
  const registry = withShop();
  const name = (): string | undefined => registry.balancerResource(SHOP)?.sticky.routeCookie.name;
  assert.equal(name(), 'rc_route');
  const clusterId = '0123456789abcdef0123456789abcdef';
  registry.takeRecords(0);
  registry.apply({ type: 'restore', records: [], nowUnixMs: 0, clusterId }, 0);
  assert.equal(name(), 'rc_route_012345');
  const { write } = registry.takeRecords(0);
  assert.deepEqual(
    write.map(({ key, value }) => [key, value]),
    [['cluster/id', { id: clusterId }]],
  );
  registry.apply(operator({ name: 'mine' }), 0);
  assert.deepEqual(registry.balancerResource(SHOP)?.sticky.routeCookie.earlierNames, ['rc_route_012345', 'rc_route']);

  const later = new Registry({ clusterId: 'f'.repeat(32) });
  later.apply({ type: 'restore', records: write, nowUnixMs: 0, clusterId: 'f'.repeat(32) }, 0);
  assert.equal(later.clusterId, clusterId, 'the store decides');
  assert.deepEqual(later.takeRecords(0).write, []);
});

function withShop(): Registry {
  const registry = new Registry({});
  registry.apply({ type: 'balancer-settings', name: SHOP, source: 'file', patch: { retries: 1 }, by: 'file' }, 0);
  return registry;
}

function operator(routeCookie: RouteCookiePatch) {
  const patch = { sticky: { routeCookie } };
  return { type: 'balancer-settings', name: SHOP, source: 'operator', patch, by: 'ops' } as const;
}
