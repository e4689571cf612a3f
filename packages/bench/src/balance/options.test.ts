import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BALANCER_NAMES } from './balancers/all.ts';
import { BALANCE_HELP, readBalanceOptions } from './options.ts';
import { SCENARIO_NAMES } from './scenario.ts';

test('without words everything that is here is played once', () => {
  const options = readBalanceOptions([])!;
  assert.deepEqual([options.balancers, options.scenarios], [[], []]);
  assert.deepEqual([options.rounds, options.warmUpMs, options.measureMs, options.lanes], [1, 5_000, 20_000, 2]);
  assert.deepEqual([options.utilisation, options.workers, options.proxies, options.seed], [undefined, 1, 1, 1]);
  assert.equal(options.node, process.execPath);
});

test('--only takes scenarios and balancers together', () => {
  const { balancers, scenarios } = readBalanceOptions(['--only', 'rollcall,speeds,haproxy-leastconn,join'])!;
  assert.deepEqual(balancers, ['rollcall', 'haproxy-leastconn']);
  assert.deepEqual(scenarios, ['speeds', 'join']);
});

test('words change lengths and loads', () => {
  const words = '--rounds 3 --secs 300 --warm-up 30 --utilisation 70 --workers 2 --proxies 4 --lanes 1 --seed 9';
  const options = readBalanceOptions(words.split(' '))!;
  assert.deepEqual([options.rounds, options.measureMs, options.warmUpMs, options.lanes], [3, 300_000, 30_000, 1]);
  assert.deepEqual([options.utilisation, options.workers, options.proxies, options.seed], [0.7, 2, 4, 9]);
});

test('what cannot be is refused with what can', () => {
  const refused: [words: string[], what: RegExp][] = [
    [['--only', 'squid'], /--only squid: there is homogeneous, speeds/],
    [['--only', ','], /--only needs a name/],
    [['--utilisation', '0.9'], /--utilisation 0.9: it must be a whole number from 1 to 150/],
    [['--rounds', '0'], /--rounds 0/],
    [['--rows', 'tls'], /--rows.*balance --help shows/],
    [['speeds'], /speeds.*balance --help shows/],
  ];
  for (const [words, what] of refused) assert.throws(() => readBalanceOptions(words), what, words.join(' '));
});

test('help names everything that --only takes', () => {
  assert.equal(readBalanceOptions(['--help']), undefined);
  for (const name of [...SCENARIO_NAMES, ...BALANCER_NAMES]) assert.ok(BALANCE_HELP.includes(name), name);
});
