import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliFailure } from '../exit.ts';
import { fileLimits, scopedLimit } from './time-limits.ts';
import { joined, settingPatch, unsettingPatch } from './vocabulary.ts';

function refuses(act: () => unknown, why: RegExp): void {
  assert.throws(act, (error) => error instanceof CliFailure && why.test(error.message));
}

test('--limit names a balancer, and a path within it', () => {
  const path = { paths: { '/a:b=c': { upstreamIdleMs: 'none' } } };
  assert.equal(scopedLimit('upstream-timeout=1m'), undefined);
  assert.deepEqual(scopedLimit('shop:tunnel-idle=2m'), {
    balancer: 'shop',
    patch: { limits: { tunnelIdleMs: 120_000 } },
  });
  assert.deepEqual(scopedLimit('*/a:b=c:upstream-idle=none'), { balancer: '*', patch: { limits: path } });
  refuses(
    () => scopedLimit('shop:fields=5'),
    /--limit shop:fields=5: fields is not a limit of a balancer or path; there are/,
  );
  refuses(() => scopedLimit('shop:upstream-idel=5s'), /did you mean "upstream-idle"/);
  refuses(() => scopedLimit('shop:body-timeout=none'), /body-timeout cannot be none: a client/);
  refuses(() => scopedLimit('shop/a/:upstream-idle=5s'), /"\/a\/" is not a path/);
  refuses(() => scopedLimit('shop:upstream-idle=0'), /upstream-idle is 0 ms: it must be from 1ms to 24h/);
  refuses(() => scopedLimit('shop:upstream-idle=5'), /5 is not a duration with a unit .* and not none$/);
});

test('set and unset have the limits of balancer and paths, and join', () => {
  const set = ['upstream-timeout', '/a:upstream-timeout', '/a:upstream-idle'].map((key) =>
    settingPatch(key, ['1s'], key),
  );
  assert.deepEqual(joined(set), {
    limits: { upstreamTimeoutMs: 1_000, paths: { '/a': { upstreamTimeoutMs: 1_000, upstreamIdleMs: 1_000 } } },
  });
  assert.deepEqual(unsettingPatch('upstream-idle'), { limits: { upstreamIdleMs: null } });
  assert.deepEqual(unsettingPatch('/a:upstream-idle'), { limits: { paths: { '/a': { upstreamIdleMs: null } } } });
  assert.deepEqual(unsettingPatch('/a'), { limits: { paths: { '/a': null } } });
  refuses(() => settingPatch('/a', ['1s'], '/a'), /write PATH:LIMIT=DURATION/);
});

test('the settings file has limits by path', () => {
  assert.deepEqual(fileLimits({ bodyTimeout: '5s', paths: { '/a': { upstreamIdle: 'none' } } }, 'f'), {
    limits: { bodyTimeoutMs: 5_000, paths: { '/a': { upstreamIdleMs: 'none' } } },
  });
  refuses(() => fileLimits(5, 'f'), /^f is not an object of limits/);
  refuses(() => fileLimits({ upstreamIdel: '5s' }, 'f'), /unknown key "upstreamIdel"; did you mean "upstreamIdle"/);
  refuses(() => fileLimits({ paths: { a: {} } }, 'f'), /^f\.paths "a": "a" is not a path/);
  refuses(() => fileLimits({ upstreamIdle: 5 }, 'f'), /^f\.upstreamIdle: 5 is not a duration/);
});
