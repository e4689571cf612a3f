import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemOf, type RedisProblemKind } from './redis-problem.ts';

/** Messages of Redis 7 and of ioredis 6, with the code of Node.js if there is one. */
const CASES: readonly [RedisProblemKind, message: string, code?: string][] = [
  ['unreachable', 'connect ECONNREFUSED 127.0.0.1:1', 'ECONNREFUSED'],
  ['unreachable', 'getaddrinfo ENOTFOUND nowhere', 'ENOTFOUND'],
  ['unreachable', 'getaddrinfo EAI_AGAIN nowhere', 'EAI_AGAIN'],
  ['unreachable', 'connect ETIMEDOUT'],
  ['unreachable', 'Connection is closed.'],
  ['unreachable', "Stream isn't writeable and enableOfflineQueue options is false"],
  ['unreachable', "Cluster isn't ready and enableOfflineQueue options is false"],
  ['unreachable', 'CLUSTERDOWN Hash slot not served'],
  ['slow', 'Command timed out'],
  ['slow', "Socket timeout. Expecting data, but didn't receive any in 3500ms."],
  ['slow', 'BUSY Redis is busy running a script.'],
  ['read-only', "READONLY You can't write against a read only replica. script: 1, on @user_script:1."],
  ['out-of-memory', "OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:1."],
  ['loading', 'LOADING Redis is loading the dataset in memory'],
  ['wrong-password', 'WRONGPASS invalid username-password pair or user is disabled.'],
  ['wrong-password', 'ERR Protocol error: unauthenticated multibulk length'],
  ['wrong-password', 'NOAUTH Authentication required.'],
  ['no-permission', "NOPERM this user has no permissions to run the 'eval' command"],
  [
    'no-permission',
    "ERR The user executing the script can't run this command or subcommand script: 1, on @user_script:1.",
  ],
  ['no-permission', 'DENIED Redis is running in protected mode'],
  ['no-writes', 'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist on disk.'],
  ['no-writes', 'NOREPLICAS Not enough good replicas to write.'],
  ['wrong-type', 'WRONGTYPE Operation against a key holding the wrong kind of value'],
  ['tls', 'self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['tls', 'unable to verify the first certificate', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['tls', 'wrong version number', 'ERR_SSL_WRONG_VERSION_NUMBER'],
  ['failed', 'ERR something else'],
];

for (const [kind, message, code] of CASES)
  test(`${code ?? ''} ${message.slice(0, 50)} is ${kind}`, () => {
    const problem = problemOf(Object.assign(new Error(message), code !== undefined && { code }));
    assert.equal(problem.kind, kind);
    assert.ok(problem.message.includes(`(${message})`), problem.message);
  });

test('the message of Sentinels that are unreachable is the same after each attempt', () => {
  const message = (ms: number): string =>
    problemOf(
      new Error(`All sentinels are unreachable. Retrying from scratch after ${ms}ms. Last error: read ECONNRESET`),
    ).message;
  assert.equal(message(10), 'redis is unreachable (no Sentinel answers: read ECONNRESET)');
  assert.equal(message(20), message(10));
});

test('an error of a Redis Cluster is that of its last node', () => {
  const lastNodeError = Object.assign(new Error('WRONGPASS invalid'), {});
  const error = Object.assign(new Error('Failed to refresh slots cache.'), { lastNodeError });
  assert.equal(problemOf(error).kind, 'wrong-password');
});

test('errors without a message, and values that are none, have a sentence', () => {
  assert.match(problemOf(new AggregateError([new Error('one'), new Error('two')], '')).message, /\(one; two\)/);
  assert.match(problemOf('text').message, /\(text\)/);
  assert.match(problemOf(undefined).message, /\(undefined\)/);
});
