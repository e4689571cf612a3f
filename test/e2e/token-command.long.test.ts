/** `rollcall token`: its output, its requests, and its error messages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TokenList, TokenResult } from '@rollcall/protocol';
import { Site } from '../site/site.ts';

test('a token is created, listed, changed, rotated and revoked; only its secret goes to standard output', {
  timeout: 300_000,
}, async (t) => {
  const site = await Site.start(t);
  const token = (...words: string[]) => site.cli('token', ...words);
  const flags = ['--balancer', 'shop', '--context', '/a', '--context', '/b', '--node', 'shop-*', '--nodes', '3'];
  const made = await token('create', 'shop', '--role', 'join', ...flags, '--max-weight', '2', '--expires', '30d');
  assert.match(made.stdout, /^[A-Za-z0-9_-]{43}\n$/);
  assert.match(made.stderr, /^note: agents on this machine need a token too/m);
  assert.match(
    made.stderr,
    /token shop \(role join\) created; bound to balancer shop; context \/a, \/b; .*shown only once/,
  );
  const trials: readonly (readonly [readonly string[], 'stdout' | 'stderr', RegExp])[] = [
    [['create', 'new', '--role', 'join'], 'stderr', /^token new \(role join\) would be created$/m],
    [['set', 'shop', '--nodes', '1'], 'stdout', /would be changed; bound to .*; no node would leave\n$/],
    [
      ['rotate', 'shop'],
      'stderr',
      /would be rotated, the earlier secret ends in 3600 s; bound to .*; no node would leave\n$/,
    ],
    [['revoke', 'shop'], 'stdout', /^token shop \(role join\) would be revoked; no node would leave\n$/],
  ];
  for (const [words, stream, text] of trials) {
    const trial = await token(...words, '--dry-run');
    assert.match(trial[stream], text);
    if (stream === 'stderr') assert.equal(trial.stdout, '', 'standard output is for the secret');
  }
  const { secret } = await site.json<TokenResult>('token', 'rotate', 'shop', '--overlap', '10m');
  assert.match(secret ?? '', /^[A-Za-z0-9_-]{43}$/);
  assert.notEqual(`${secret}\n`, made.stdout);
  const changed = await token('set', 'shop', '--context', '/c', '--clear', 'nodes', '--clear', 'expires');
  assert.equal(changed.code, 0, changed.stderr);
  const { tokens } = await site.json<TokenList>('token', 'list');
  assert.deepEqual(
    tokens.map(({ name, source, secrets }) => [name, source, secrets]),
    [
      ['admin', 'given', 1],
      ['feed', 'given', 1],
      ['shop', 'stored', 2],
    ],
  );
  const shop = tokens[2]!;
  assert.deepEqual(shop.bindings, { balancers: ['shop'], contexts: ['/c'], nodeIds: ['shop-*'], maxWeight: 2 });
  assert.equal(shop.expiresAtUnixMs, undefined);
  assert.match(
    (await token('list')).stdout,
    /^shop +join +2 +0 +- +- +balancer shop; context \/c; node shop-\*; max-weight 2$/m,
  );
  const revoked = await token('revoke', 'shop', '--reason', 'not needed');
  assert.match(revoked.stdout, /^token shop \(role join\) revoked; no node leaves\n$/);
  assert.match(revoked.stderr, /last join token: no agent can join until there is one/);

  const mistakes: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['create', 'x'], 2, /--role/],
    [['create', 'x', '--role', 'join', '--expires', '30'], 2, /not a duration with a unit .* from 1s to 3650d/],
    [['create', 'admin', '--role', 'admin'], 1, /the name admin is reserved/],
    [
      ['create', 'y', '--role', 'viewer', '--balancer', 'shop'],
      1,
      /balancers binds nodes; a token with the role viewer/,
    ],
    [['revoke', 'shop'], 1, /there is no token shop/],
  ];
  for (const [words, exitCode, text] of mistakes) {
    const { code, stderr } = await token(...words);
    assert.equal(code, exitCode, stderr);
    assert.match(stderr, text);
  }
});
