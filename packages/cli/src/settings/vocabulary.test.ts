/** Each setting of a balancer: the patches of its texts, and the texts that it refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lifetimeText, SETTINGS, settingPatch, unsettingPatch } from './vocabulary.ts';

interface Case {
  readonly reads: readonly (readonly [text: string, patch: object])[];
  readonly refuses: readonly (readonly [text: string, why: RegExp])[];
}

const sticky = (patch: object) => ({ sticky: patch });
const cookie = (patch: object) => sticky({ routeCookie: patch });
const NOT_A_SWITCH: Case['refuses'] = [
  ['maybe', /^KEY "maybe": write on or off$/],
  ['', /^KEY "": write on or off$/],
];
const switches = (patch: (isOn: boolean) => object): Case => ({
  reads: [
    ...['true', 'on', 'yes', '1', 'ON'].map((text) => [text, patch(true)] as const),
    ...['false', 'off', 'no', '0', 'No'].map((text) => [text, patch(false)] as const),
  ],
  refuses: NOT_A_SWITCH,
});
const limit = (key: string, takesNone = true): Case => ({
  reads: [
    ['2m', { limits: { [key]: 120_000 } }],
    ['1ms', { limits: { [key]: 1 } }],
    ['24h', { limits: { [key]: 86_400_000 } }],
    ...(takesNone ? ([['none', { limits: { [key]: 'none' } }]] as const) : []),
  ],
  refuses: [
    ['2', /: 2 is not a duration with a unit/],
    ['25h', /must be from 1ms to 24h/],
    ['-1s', /must be from 1ms to 24h/],
    ['0s', /must be from 1ms to 24h/],
    ...(takesNone ? [] : ([['none', /cannot be none/]] as const)),
  ],
});
const LIST_TOO_LONG = Array.from({ length: 17 }, (_, i) => `c${i}`).join(',');

const CASES: Readonly<Record<string, Case>> = {
  algorithm: { reads: [['adaptive', { algorithm: 'adaptive' }]], refuses: [] },
  'session-algorithm': { reads: [['session', { sessionAlgorithm: 'session' }]], refuses: [] },
  retries: {
    reads: [
      ['0', { retries: 0 }],
      ['10', { retries: 10 }],
    ],
    refuses: ['11', '-1', '1.5', 'two', ''].map((text) => [text, /^KEY ".*": write a whole number from 0 to 10$/]),
  },
  'min-eligible': {
    reads: [
      ['0', { minEligible: 0 }],
      ['1000', { minEligible: 1_000 }],
    ],
    refuses: ['1001', '-1', '50%', ''].map((text) => [text, /^KEY ".*": write a whole number from 0 to 1000$/]),
  },
  'session-idle': {
    reads: [
      ['1s', { sessionIdleMs: 1_000 }],
      ['24h', { sessionIdleMs: 86_400_000 }],
    ],
    refuses: [
      ['999ms', /^KEY "999ms" is too short: write a duration from 1s to 24h$/],
      ['-1s', /^KEY "-1s" is too short: write a duration from 1s to 24h$/],
      ['25h', /^KEY "25h" is too long: write a duration from 1s to 24h$/],
      ...['5', 'none', '-', '-5'].map((text) => [text, /^KEY ".*" is not a duration .*, from 1s to 24h$/] as const),
    ],
  },
  assign: switches((assign) => ({ assign })),
  'upstream-timeout': limit('upstreamTimeoutMs'),
  'upstream-idle': limit('upstreamIdleMs'),
  'event-stream-idle': limit('eventStreamIdleMs'),
  'tunnel-idle': limit('tunnelIdleMs'),
  'body-timeout': limit('bodyTimeoutMs', false),
  sticky: {
    reads: ['insert', 'suffix'].map((mode) => [mode, sticky({ mode })]),
    refuses: [['glue', /^KEY "glue": write one of .*insert/]],
  },
  cookies: {
    reads: [
      ['JSESSIONID', sticky({ cookies: ['JSESSIONID'] })],
      ['a, b', sticky({ cookies: ['a', 'b'] })],
    ],
    refuses: [
      ['a;b', /^KEY "a;b": write the name of a cookie$/],
      ['a,,b', /^KEY "": write the name of a cookie$/],
      [LIST_TOO_LONG, /^KEY has 17 names; at most 16 are possible$/],
    ],
  },
  parameters: {
    reads: [['jsessionid,_s', sticky({ parameters: ['jsessionid', '_s'] })]],
    refuses: [
      ['a b', /^KEY "a b": write the name of a parameter$/],
      [LIST_TOO_LONG, /^KEY has 17 names/],
    ],
  },
  failover: {
    reads: ['any', 'none'].map((failover) => [failover, sticky({ failover })]),
    refuses: [['some', /^KEY "some": write one of .*any/]],
  },
  remove: switches((remove) => sticky({ remove })),
  movable: switches((movable) => sticky({ movable })),
  'route-cookie-name': {
    reads: [['route', cookie({ name: 'route' })]],
    refuses: [['a=b', /^KEY "a=b": write the name of a cookie$/]],
  },
  'route-cookie-same-site': {
    reads: ['Lax', 'Strict', 'None'].map((sameSite) => [sameSite, cookie({ sameSite })]),
    refuses: [['lax', /^KEY "lax": write one of .*Lax/]],
  },
  'route-cookie-secure': {
    reads: ['auto', 'always'].map((secure) => [secure, cookie({ secure })]),
    refuses: [['never', /^KEY "never": write one of auto, always$/]],
  },
  'route-cookie-partitioned': switches((partitioned) => cookie({ partitioned })),
  'route-cookie-domain': {
    reads: [
      ['example.com', cookie({ domain: 'example.com' })],
      ['.Example.COM', cookie({ domain: 'example.com' })],
      ['shop.localhost', cookie({ domain: 'shop.localhost' })],
      ['', cookie({ domain: '' })],
    ],
    refuses: [
      'a b',
      '*.example.com',
      '..example.com',
      'shop..example.com',
      'example.com.',
      '.',
      '127.0.0.1',
      '.127.0.0.1',
      '::1',
      '[::1]',
      'example.com:80',
      `${'a'.repeat(64)}.com`,
    ].map((text) => [text, /^KEY ".*": write a host name, like example\.com$/] as const),
  },
  'route-cookie-path': {
    reads: [['/shop', cookie({ path: '/shop' })]],
    refuses: [
      ['shop', /^KEY "shop": write a path, like \/shop$/],
      ['/a;b', /^KEY "\/a;b": write a path/],
    ],
  },
  'route-cookie-lifetime': {
    reads: [
      ['session', cookie({ lifetime: { ends: 'session' } })],
      ['application', cookie({ lifetime: { ends: 'application' } })],
      ['idle:30m', cookie({ lifetime: { ends: 'idle', afterMs: 1_800_000 } })],
      ['whole:10s', cookie({ lifetime: { ends: 'whole', afterMs: 10_000 } })],
    ],
    refuses: [
      ['forever', /^KEY "forever": write session, application, idle:30m or whole:12h$/],
      ['idle', /: write session, application/],
      ['session:5m', /: write session, application/],
      ['idle:5', /^KEY "5" is not a duration/],
      ['whole:9s', /^KEY "9s" is too short: write a duration from 10s to 400d$/],
      ['idle:-1s', /^KEY "-1s" is too short: write a duration from 10s to 400d$/],
      ['whole:401d', /^KEY "401d" is too long: write a duration from 10s to 400d$/],
    ],
  },
  stickysession: {
    reads: [
      ['JSESSIONID|jsessionid', sticky({ mode: 'suffix', cookies: ['JSESSIONID'], parameters: ['jsessionid'] })],
      ['SID', sticky({ mode: 'suffix', cookies: ['SID'], parameters: ['SID'] })],
    ],
    refuses: [
      ['a|b|c', /^KEY "a\|b\|c": write COOKIE\|PARAMETER, like JSESSIONID\|jsessionid$/],
      ['|b', /^KEY "": write COOKIE\|PARAMETER$/],
    ],
  },
  nofailover: {
    reads: [
      ['on', sticky({ failover: 'none' })],
      ['off', sticky({ failover: 'any' })],
    ],
    refuses: NOT_A_SWITCH,
  },
};

test('each setting has cases', () => {
  assert.deepEqual(Object.keys(CASES).sort(), Object.keys(SETTINGS).sort());
});

for (const [key, { reads, refuses }] of Object.entries(CASES))
  test(`${key} reads its texts and refuses others with exit 2`, () => {
    for (const [text, patch] of reads) assert.deepEqual(settingPatch(key, [text], 'KEY'), patch, text);
    for (const [text, message] of refuses)
      assert.throws(() => settingPatch(key, [text], 'KEY'), { message, exitCode: 2 }, text);
  });

test('a list may be several texts; of other settings the last text counts', () => {
  assert.deepEqual(settingPatch('cookies', ['a', 'b,c'], 'KEY'), sticky({ cookies: ['a', 'b', 'c'] }));
  assert.deepEqual(settingPatch('retries', ['1', '3'], 'KEY'), { retries: 3 });
});

/** All leaves of a patch. */
function leaves(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [value];
}

function keysOf(value: unknown, at = ''): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [at];
  const { ends } = value as { ends?: unknown };
  return ends === undefined ? Object.entries(value).flatMap(([key, part]) => keysOf(part, `${at}.${key}`)) : [at];
}

test('unset removes exactly what set sets', () => {
  for (const [key, { reads }] of Object.entries(CASES)) {
    const unset = unsettingPatch(key);
    assert.ok(
      leaves(unset).every((leaf) => leaf === null),
      key,
    );
    assert.deepEqual(keysOf(unset), keysOf(reads[0]![1]), key);
  }
});

test('the text of a lifetime is read as the same lifetime', () => {
  for (const text of ['session', 'application', 'idle:30m', 'idle:90s', 'whole:12h', 'whole:24h', 'whole:400d']) {
    const { sticky: read } = settingPatch('route-cookie-lifetime', [text], 'KEY');
    assert.equal(lifetimeText(read!.routeCookie!.lifetime!), text);
  }
});

test('an unknown setting is refused with the nearest name, or with all names', () => {
  assert.throws(() => settingPatch('retrys', ['1'], 'KEY'), {
    message: 'there is no setting retrys; did you mean "retries"?',
    exitCode: 2,
  });
  for (const key of ['nosuch-at-all', 'toString', '__proto__'])
    for (const act of [() => settingPatch(key, ['1'], 'KEY'), () => unsettingPatch(key)])
      assert.throws(act, { message: new RegExp(`^there is no setting ${key}; there are algorithm, `), exitCode: 2 });
});
