import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import { EXIT } from '../exit.ts';
import { balancerCommand } from './balancer.ts';
import { coordinatorsCommand } from './coordinators.ts';
import { explainCommand } from './explain.ts';
import { forgetCommand } from './forget.ts';
import { loginsCommand } from './logins.ts';
import { addCommand, removeCommand } from './members.ts';
import { redirectCommand, weightCommand } from './overrides.ts';
import { scaleCommand } from './scale.ts';
import { drainCommand, enableCommand, stopCommand } from './status-verbs.ts';
import { tokenCommand } from './token.ts';
import { boundedMs, reasonOf } from './verb-flags.ts';

test('durations have the bounds of the admin API', () => {
  assert.equal(boundedMs('--for', undefined), undefined);
  assert.equal(boundedMs('--for', '31d'), 2_678_400_000);
  assert.equal(boundedMs('--ttl', '1000.4ms', { min: 1_000, max: 3_600_000 }), 1_000);
  assert.throws(() => boundedMs('--for', '744h1s'), {
    message: '--for "744h1s" is too long: write a duration from 0s to 31d',
    exitCode: 2,
  });
  assert.throws(() => boundedMs('--ttl', '0s', { min: 1_000, max: 3_600_000 }), { message: /from 1s to 1h$/ });
});

test('a reason is one short line', () => {
  assert.deepEqual(reasonOf('x'.repeat(256)), { reason: 'x'.repeat(256) });
  assert.throws(() => reasonOf('x'.repeat(257)), { message: '--reason has 257 characters; at most 256 are possible' });
  assert.throws(() => reasonOf('a\nb'), { message: '--reason has a line end or another control character' });
});

test('commands that change nodes, balancers, contexts or logins have a dry run', () => {
  const writers = [addCommand(), removeCommand(), scaleCommand(), drainCommand(), enableCommand(), stopCommand()];
  writers.push(
    weightCommand(),
    redirectCommand(),
    balancerCommand(),
    forgetCommand(),
    loginsCommand(),
    coordinatorsCommand(),
  );
  for (const command of writers)
    assert.ok(
      command.options.some(({ long }) => long === '--dry-run'),
      command.name(),
    );
});

test('commands whose changes are shared wait for the other coordinators', () => {
  const writers = [addCommand(), removeCommand(), scaleCommand(), drainCommand(), enableCommand(), stopCommand()];
  writers.push(weightCommand(), redirectCommand(), balancerCommand(), forgetCommand());
  writers.push(...tokenCommand().commands.filter((one) => one.name() !== 'list'));
  for (const command of writers)
    assert.deepEqual(
      ['--wait', '--timeout'].filter((name) => !command.options.some(({ long }) => long === name)),
      [],
      command.name(),
    );
});

test('commands refuse wrong flags with exit 2 before they connect to a coordinator', async () => {
  const address = 'http://127.0.0.1:3000';
  const mistakes: readonly (readonly [Command, readonly string[], RegExp])[] = [
    [drainCommand(), ['n1', '--for', '99999999999d'], /^--for "99999999999d" is too long: .* to 31d$/],
    [drainCommand(), ['n1', '--reason', 'x'.repeat(300)], /^--reason has 300 characters/],
    [drainCommand(), ['n1', '--context', 'app'], /^--context app is not a path like/],
    [stopCommand(), ['--balancer', 'b', '--context', '/app'], /^--context needs the id of one node/],
    [drainCommand(), ['n1', '--context', '/app', '--for', '5m'], /are for whole nodes, not with --context/],
    [enableCommand(), ['n1', '--timeout', '5s'], /^--timeout needs --wait/],
    [forgetCommand(), ['--all', '--timeout', '5s'], /^--timeout needs --wait/],
    [addCommand(), [address, '--ttl', '0s'], /^--ttl "0s" .* from 1s to 1h$/],
    [addCommand(), [address, '--route', 'a.b'], /^--route "a\.b": names match/],
    [addCommand(), [address, '--context', 'shop'], /^--context "shop": write a path like \/app$/],
    [addCommand(), [address, '--balancer', 'a b'], /^--balancer "a b": names match/],
    [explainCommand(), ['--for', '3s'], /^--for needs --live$/],
    [explainCommand(), ['--url', 'ftp://shop.example/'], /^--url ftp:.* write an address like http:/],
  ];
  for (const [command, words, message] of mistakes)
    await assert.rejects(command.parseAsync([...words], { from: 'user' }), { message, exitCode: EXIT.usage });
});
