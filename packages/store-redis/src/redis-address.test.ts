import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRedisAddress, parseRedisAddress, type RedisAddress } from './redis-address.ts';

const NONE = { hasTls: false, user: undefined, password: undefined, db: 0, master: '', sentinelPassword: undefined };

const GOOD: readonly [string, Partial<RedisAddress>][] = [
  ['redis://r', { type: 'single', hosts: [{ host: 'r', port: 6_379 }] }],
  ['redis://r/', { type: 'single', hosts: [{ host: 'r', port: 6_379 }] }],
  [
    'rediss://u:p%40%3A@r.example:1/2',
    {
      type: 'single',
      hosts: [{ host: 'r.example', port: 1 }],
      hasTls: true,
      user: 'u',
      password: 'p@:',
      db: 2,
    },
  ],
  ['redis://:p@[::1]:7', { type: 'single', hosts: [{ host: '::1', port: 7 }], password: 'p' }],
  [
    'redis-sentinel://a,b:2/3?sentinel-password=s%2F#main',
    {
      type: 'sentinel',
      hosts: [
        { host: 'a', port: 26_379 },
        { host: 'b', port: 2 },
      ],
      db: 3,
      master: 'main',
      sentinelPassword: 's/',
    },
  ],
  ['rediss-sentinel://a#m', { type: 'sentinel', hosts: [{ host: 'a', port: 26_379 }], hasTls: true, master: 'm' }],
  [
    'redis-cluster://a:1,[fe80::1]:2',
    {
      type: 'cluster',
      hosts: [
        { host: 'a', port: 1 },
        { host: 'fe80::1', port: 2 },
      ],
    },
  ],
];

for (const [text, expected] of GOOD)
  test(`the address ${text} is read`, () => {
    assert.deepEqual(parseRedisAddress(text), { ...NONE, ...expected });
    assert.ok(isRedisAddress(text));
  });

const BAD: readonly [string, RegExp][] = [
  ['http://r', /has no scheme of redis; right is redis:.* or redis-sentinel:.* or redis-cluster:/],
  ['redis://', /has no host; right is redis:\/\/\[USER:PASSWORD@\]HOST:PORT\[\/DB\]$/],
  ['redis://a,b', /several hosts, which need redis-sentinel:\/\/ or redis-cluster:/],
  ['redis://r:0', /the invalid host "r:0"/],
  ['redis://r:70000', /the invalid host/],
  ['redis://[r]', /the invalid host/],
  ['redis://::1', /the invalid host/],
  ['redis://r r', /the invalid host/],
  ['redis://r/x', /a path that is no number of a database/],
  ['redis://u:p@ss/secret#rd@r:6379', /^(?!.*secret).*a path that is no number of a database; in a password/],
  ['redis://r/-1', /a path that is no number of a database/],
  ['redis://r/99999', /a path that is no number of a database/],
  ['redis://u@r', /a user without a password/],
  ['redis://u:%zz@r', /not percent-encoded/],
  ['redis://r#m', /needs redis-sentinel/],
  ['redis://r?family=6', /the unknown parameter family/],
  ['redis-sentinel://a,b', /has no name of the master; right is redis-sentinel:/],
  ['redis-sentinel://a,,b#m', /has no host/],
  ['redis-cluster://a/1', /a Redis Cluster has only database 0/],
  [`redis-cluster://${'a,'.repeat(40)}a`, /more than 32 hosts/],
];

for (const [text, message] of BAD)
  test(`the address ${text.slice(0, 60)} is refused`, () => {
    assert.throws(
      () => parseRedisAddress(text),
      (error) => error instanceof RangeError && message.test(error.message),
    );
  });

test('a refused address is printed without its passwords', () => {
  for (const text of [
    'redis://u:secret@r/x',
    'redis://u:secret@x@r/x',
    'redis-sentinel://a?sentinel-password=secret&x=1#m',
  ])
    assert.throws(
      () => parseRedisAddress(text),
      (error) => error instanceof RangeError && !error.message.includes('secret'),
    );
});
