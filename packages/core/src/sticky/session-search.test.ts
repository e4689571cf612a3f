import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIRST_ROUTE_COOKIE, type StickyMode, type StickySettings } from '@rollcall/protocol';
import { SessionSearch } from './session-search.ts';

const routes = new Map(['n1', 'n2'].map((route) => [route, route]));

function search(mode: StickyMode, routeCookie = FIRST_ROUTE_COOKIE): SessionSearch<string> {
  const settings: StickySettings = {
    mode,
    cookies: ['JSESSIONID', 'connect.sid'],
    parameters: ['jsessionid', '_s'],
    failover: 'any',
    remove: false,
    movable: false,
    routeCookie,
  };
  return new SessionSearch<string>(settings, 'AA');
}

void test("the proxy's own cookie comes first, then cookies in their order, then path, then query", () => {
  const own = search('insert');
  const steps: [string, string, string, string][] = [
    ['JSESSIONID=a.n2; rc_route=x.n1', '/;_s=a.n2', 'cookie rc_route', 'n1'],
    ['connect.sid=s%3Aa.n2.sig; JSESSIONID=b.n1', '/', 'cookie JSESSIONID', 'n1'],
    ['connect.sid=s%3Aa.n2.sig; JSESSIONID=b', '/', 'cookie connect.sid', 'n2'],
    ['JSESSIONID=b.old', '/x;jsessionid=c.n1?_s=d.n2', 'path jsessionid', 'n1'],
    ['', '/x?_s=d.n2', 'query _s', 'n2'],
    ['rc_route=n1', '/', 'cookie rc_route', 'n1'],
    ['', '/x;jsessionid=a;jsessionid=b.n1', 'path jsessionid', 'n1'],
    ['', '/x?_s=a&_s=b.n2', 'query _s', 'n2'],
    ['rc_route=a.gone; rc_route="b.n2"', '/', 'cookie rc_route', 'n2'],
  ];
  for (const [cookie, target, from, route] of steps) {
    assert.equal(own.find(cookie, target, routes), true, cookie + target);
    assert.equal(`${own.place} ${own.name}`, from);
    assert.equal(own.known, route);
    assert.equal(own.namesUnknown, false);
  }
});

void test("the proxy's own cookie is ignored in other modes", () => {
  assert.equal(search('suffix').find('rc_route=x.n1', '/', routes), false);
});

void test('an id that names an unknown route is distinguished from one that names none', () => {
  const insert = search('insert');
  assert.equal(insert.find('rc_route=x.gone', '/', routes), false);
  assert.equal(insert.namesUnknown, true);
  insert.find('JSESSIONID=x.gone', '/', routes);
  assert.equal(insert.namesUnknown, false, 'in insert mode applications append no routes');
  const suffix = search('suffix');
  suffix.find('JSESSIONID=x.gone', '/', routes);
  assert.equal(suffix.namesUnknown, true);
  suffix.find('JSESSIONID=x', '/?_s=y', routes);
  assert.equal(suffix.namesUnknown, false);
  assert.deepEqual([suffix.known, suffix.id, suffix.name], [undefined, '', '']);
});

void test("the proxy's own cookie is read under its name, then under earlier names", () => {
  const own = search('insert', { ...FIRST_ROUTE_COOKIE, name: 'rc_route_0123ab', earlierNames: ['old', 'rc_route'] });
  for (const [cookie, name, route] of [
    ['rc_route=x.n2; rc_route_0123ab=y.n1', 'rc_route_0123ab', 'n1'],
    ['rc_route=x.n2; old=y.n1', 'old', 'n1'],
    ['rc_route=x.n2; rc_route_0123ab=y.unknown', 'rc_route', 'n2'],
    ['rc_route_ffffff=x.n1', '', undefined],
    ['rc_route_0123abc=x.n1', '', undefined],
  ] as const) {
    own.find(cookie, '/', routes);
    assert.deepEqual([own.name, own.known], [name, route], cookie);
  }
});

void test('the time in the cookie is no part of the session id', () => {
  const own = search('insert');
  for (const [value, id, timeS] of [
    ['AA0123456789abcdef.~10.n1', 'AA0123456789abcdef.n1', 36],
    ['AA0123456789abcdef.n1', 'AA0123456789abcdef.n1', -1],
    ['AA0123456789abcdef.~.n1', 'AA0123456789abcdef.~.n1', -1],
    ['AA0123456789abcdef.~zzzzzzzzz.n1', 'AA0123456789abcdef.~zzzzzzzzz.n1', -1],
  ] as const) {
    assert.ok(own.find(`rc_route=${value}`, '/', routes), value);
    assert.deepEqual([own.id, own.timeS, own.isOwn], [id, timeS, true], value);
  }
});
