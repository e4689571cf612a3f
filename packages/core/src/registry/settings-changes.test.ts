import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BalancerPatch, parseBalancerName } from '@rollcall/protocol';
import { Registry } from './registry.ts';
import { changesText } from './settings-changes.ts';

const SHOP = parseBalancerName('shop')!;

/** A patch, and what the event names; `undefined` for no event. */
const CASES: readonly [patch: BalancerPatch, changes: string | undefined][] = [
  [{ retries: 3 }, 'retries 1 → 3'],
  [{ retries: 1 }, undefined],
  [{ retries: null }, 'retries 1 → 2'],
  [
    { algorithm: 'round-robin', sessionAlgorithm: 'round-robin' },
    'algorithm adaptive → round-robin, session-algorithm session → round-robin',
  ],
  [{ minEligible: 2 }, 'min-eligible 1 → 2'],
  [{ sessionIdleMs: 90_000 }, 'session-idle 30m → 90s'],
  [{ sessionIdleMs: 90_500 }, 'session-idle 30m → 90500ms'],
  [{ assign: true }, 'assign off → on'],
  [{ sticky: { mode: 'suffix', failover: 'none' } }, 'sticky insert → suffix, failover any → none'],
  [{ sticky: { cookies: ['SID', 'OLD'] } }, 'cookies JSESSIONID,PHPSESSID,connect.sid,sessionId,_s → SID,OLD'],
  [{ sticky: { parameters: [] } }, 'parameters jsessionid,_s → none'],
  [{ sticky: { movable: true, remove: true } }, 'remove off → on, movable off → on'],
  [
    { sticky: { routeCookie: { sameSite: 'None', secure: 'always', domain: 'example.com', path: '/a' } } },
    'route-cookie-same-site Lax → None, route-cookie-secure auto → always, route-cookie-domain unset → example.com, route-cookie-path unset → /a',
  ],
  [
    { sticky: { routeCookie: { lifetime: { ends: 'idle', afterMs: 1_800_000 } } } },
    'route-cookie-lifetime session → idle:30m',
  ],
  [
    { limits: { upstreamTimeoutMs: 120_000, paths: { '/files': { upstreamIdleMs: 'none' } } } },
    '/files:upstream-idle inherited → none, upstream-timeout inherited → 2m',
  ],
];

for (const [patch, changes] of CASES)
  test(`the event of ${JSON.stringify(patch)} names ${changes ?? 'nothing'}`, () => {
    const registry = new Registry({ sessionIdleMs: 1_800_000 });
    const set = (source: 'file' | 'operator', next: BalancerPatch) =>
      registry.apply({ type: 'balancer-settings', name: SHOP, source, patch: next, by: source }, 0);
    set('operator', { retries: 1 });
    const outcome = set('operator', patch);
    assert.ok(!('type' in outcome));
    const told = outcome.filter((event) => event.type === 'balancer');
    assert.deepEqual(
      told.map((event) => event.changes),
      changes === undefined ? [] : [changes],
    );
  });

test('settings of all balancers name their changes for each, and a new balancer names none', () => {
  const registry = new Registry({});
  const set = (name: typeof SHOP | '*', patch: BalancerPatch) => {
    const outcome = registry.apply({ type: 'balancer-settings', name, source: 'flag', patch, by: 'flag' }, 0);
    assert.ok(!('type' in outcome));
    return outcome.map((event) => event.type === 'balancer' && event.changes);
  };
  assert.deepEqual(set(SHOP, { retries: 4 }), [undefined]);
  assert.deepEqual(set('*', { retries: 1, assign: true }), ['assign off → on']);
});

test('the text has a bound', () => {
  const many = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`limits./p${i}.upstreamIdleMs`, 5_000]));
  assert.match(
    changesText({}, many),
    /^\/p0:upstream-idle inherited → 5s, .*\/p7:upstream-idle inherited → 5s and 24 more$/,
  );
  const long = changesText(
    { 'sticky.cookies': [] },
    { 'sticky.cookies': Array.from({ length: 16 }, () => 'x'.repeat(64)) },
  );
  assert.match(long, /^cookies none → x{63}…$/);
});
