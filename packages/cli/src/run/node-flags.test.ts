import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentUrls } from '../coordinator-url.ts';
import { CliFailure } from '../exit.ts';
import { describedBy, durationOf, type NodeFlags, nameOf, readyFlagsOf, readyPathOf, wholeOf } from './node-flags.ts';

test('the description has only the given flags', () => {
  assert.deepEqual(describedBy({}), {});
  const flags: NodeFlags = {
    balancer: 'shop',
    group: 'eu',
    host: ['Shop.test', '*.shop.test'],
    context: ['/app'],
    stripPrefix: true,
    weight: '2.5',
    sticky: 'suffix',
    sessionCookie: ['sid'],
  };
  assert.deepEqual(describedBy(flags), {
    balancer: 'shop',
    group: 'eu',
    hosts: ['shop.test', '*.shop.test'],
    contexts: ['/app'],
    stripPrefix: true,
    weight: 2.5,
    sticky: { mode: 'suffix', cookies: ['sid'] },
  });
});

test('the ready settings have only the given flags', () => {
  assert.deepEqual(readyFlagsOf({}), {});
  const flags = readyFlagsOf({ ready: '/up', readyLate: '5s', readyInterval: '500ms' });
  assert.deepEqual(flags, { readyPath: '/up', readyLateMs: 5_000, readyIntervalMs: 500 });
});

test('a wrong flag is an error of one line with its name, and exit code 2', () => {
  const mistakes: (() => unknown)[] = [
    () => describedBy({ balancer: 'my shop' }),
    () => describedBy({ group: 'a.b' }),
    () => describedBy({ host: ['shop.test:80'] }),
    () => describedBy({ context: ['app'] }),
    () => describedBy({ stripPrefix: true }),
    () => describedBy({ stripPrefix: true, context: ['/'] }),
    () => describedBy({ weight: '0' }),
    () => describedBy({ weight: '1e9' }),
    () => describedBy({ sticky: 'sometimes' }),
    () => describedBy({ sessionCookie: ['a b'] }),
    () => describedBy({ host: Array.from({ length: 17 }, () => '*') }),
    () => describedBy({ context: Array.from({ length: 129 }, (_, i) => `/${i}`) }),
    () => nameOf('--id', ''),
    () => durationOf('--ready-timeout', '30 s', 0),
    () => durationOf('--ready-timeout', '25h', 0),
    () => wholeOf('--count', '2.5', 1, 64),
    () => wholeOf('--port', '65536', 1, 65_535),
    () => readyPathOf('ready'),
    () => readyPathOf(`/${'x'.repeat(256)}`, 256),
    () => agentUrls(['ftp://x'], {}),
    () => agentUrls(['ws://a.test', 'a.test:8400'], {}),
    () => agentUrls(undefined, { ROLLCALL_URL: 'a,b,c,d,e,f' }),
  ];
  for (const mistake of mistakes) {
    assert.throws(mistake, (error) => {
      assert.ok(error instanceof CliFailure, String(error));
      assert.equal(error.exitCode, 2);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  }
});
