import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIRST_ROUTE_COOKIE, parseContextPath, type RouteCookie } from '@rollcall/protocol';
import type { CookieSeal } from './route-cookie.ts';
import { RouteCookieWriter } from './route-cookie-writer.ts';

const TEXT = 'AB0123456789abcdef.n1';
const NOW_S = 1_800_000_000;
const NOW_MS = NOW_S * 1_000;
const HOUR_MS = 3_600_000;

function writer(cookie: Partial<RouteCookie>, seal?: CookieSeal): RouteCookieWriter {
  return new RouteCookieWriter({ ...FIRST_ROUTE_COOKIE, ...cookie }, parseContextPath('/app')!, seal);
}

function at(seconds: number): string {
  return `AB0123456789abcdef.~${seconds.toString(36)}.n1`;
}

void test('each setting is an attribute of the cookie', () => {
  const all = {
    name: 'id',
    sameSite: 'None',
    secure: 'always',
    partitioned: true,
    domain: 'example.com',
    path: '/',
    lifetime: { ends: 'whole', afterMs: HOUR_MS },
  } as const;
  const cases: [Partial<RouteCookie>, boolean, string][] = [
    [{}, false, `rc_route=${TEXT}; Path=/app; HttpOnly; SameSite=Lax`],
    [{}, true, `rc_route=${TEXT}; Path=/app; HttpOnly; SameSite=Lax; Secure`],
    [{ secure: 'always' }, false, `rc_route=${TEXT}; Path=/app; HttpOnly; SameSite=Lax; Secure`],
    [{ name: 'id', sameSite: 'Strict' }, false, `id=${TEXT}; Path=/app; HttpOnly; SameSite=Strict`],
    [{ path: '/' }, false, `rc_route=${TEXT}; Path=/; HttpOnly; SameSite=Lax`],
    [{ domain: 'example.com' }, false, `rc_route=${TEXT}; Path=/app; Domain=example.com; HttpOnly; SameSite=Lax`],
    [{ lifetime: { ends: 'application' } }, false, `rc_route=${TEXT}; Path=/app; HttpOnly; SameSite=Lax`],
    [
      { lifetime: { ends: 'idle', afterMs: HOUR_MS } },
      false,
      `rc_route=${at(NOW_S)}; Max-Age=3960; Path=/app; HttpOnly; SameSite=Lax`,
    ],
    [
      all,
      false,
      `id=${at(NOW_S)}; Max-Age=3600; Path=/; Domain=example.com; HttpOnly; SameSite=None; Secure; Partitioned`,
    ],
  ];
  for (const [cookie, isSecure, text] of cases)
    assert.equal(writer(cookie).write(TEXT, -1, NOW_MS, isSecure), text, JSON.stringify(cookie));
});

void test('a seal covers the time', () => {
  const seal: CookieSeal = { sealOf: (text) => `s${text.length}`, isSealOf: () => true };
  const { length } = at(NOW_S);
  const timed = writer({ lifetime: { ends: 'whole', afterMs: HOUR_MS } }, seal).write(TEXT, -1, NOW_MS, false);
  assert.ok(timed.startsWith(`rc_route=${at(NOW_S)}.s${length};`), timed);
});

void test('a cookie for the whole life keeps its begin, and the time that remains', () => {
  const whole = writer({ lifetime: { ends: 'whole', afterMs: HOUR_MS } });
  for (const [timeS, writtenS, maxAge] of [
    [NOW_S - 1_000, NOW_S - 1_000, 2_600],
    [-1, NOW_S, 3_600],
    // The clock of another worker is ahead.
    [NOW_S + 50, NOW_S, 3_600],
  ] as const) {
    const text = whole.write(TEXT, timeS, NOW_MS, false);
    assert.ok(text.startsWith(`rc_route=${at(writtenS)}; Max-Age=${maxAge};`), text);
  }
});

void test('a session is over after its time, and its cookie is written again when it is due', () => {
  const idle: RouteCookie['lifetime'] = { ends: 'idle', afterMs: HOUR_MS };
  const whole: RouteCookie['lifetime'] = { ends: 'whole', afterMs: HOUR_MS };
  const session: RouteCookie['lifetime'] = { ends: 'session' };
  const cases: [RouteCookie['lifetime'], name: string, ageS: number | undefined, isOver: boolean, isDue: boolean][] = [
    [session, 'rc_route', undefined, false, false],
    [session, 'earlier', undefined, false, true],
    [session, 'rc_route', 10, false, true],
    [idle, 'rc_route', undefined, false, true],
    [idle, 'rc_route', 359, false, false],
    [idle, 'rc_route', 360, false, true],
    [idle, 'rc_route', 3_960, false, true],
    [idle, 'rc_route', 3_961, true, true],
    [whole, 'rc_route', undefined, false, true],
    [whole, 'rc_route', 3_600, false, false],
    [whole, 'rc_route', 3_601, true, false],
    [whole, 'earlier', 10, false, true],
  ];
  for (const [lifetime, name, ageS, isOver, isDue] of cases) {
    const timeS = ageS === undefined ? -1 : NOW_S - ageS;
    const made = writer({ lifetime });
    const label = JSON.stringify([lifetime, name, ageS]);
    assert.deepEqual([made.isOver(timeS, NOW_MS), made.isDue(name, timeS, NOW_MS)], [isOver, isDue], label);
  }
});

void test('a removal has the attributes of its cookie', () => {
  const made = writer({ domain: 'example.com', path: '/', sameSite: 'None', secure: 'always', partitioned: true });
  assert.equal(
    made.removal(false),
    'rc_route=; Max-Age=0; Path=/; Domain=example.com; HttpOnly; SameSite=None; Secure; Partitioned',
  );
  assert.equal(made.removalOf('old', false), 'old=; Max-Age=0; Path=/app; HttpOnly; SameSite=Lax');
});
