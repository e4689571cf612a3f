import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELP, ROW_NAMES, readOptions } from './options.ts';
import { fullScenarios } from './runs/scenario.ts';

test('without options all installed contenders are compared', () => {
  const options = readOptions([])!;
  assert.equal(options.mode, 'side-by-side');
  assert.deepEqual([options.only, options.rounds, options.measureMs, options.connections], [[], 3, 4_000, 64]);
  assert.deepEqual([options.rate, options.reference, options.node], [undefined, undefined, process.execPath]);
});

test('each measurement has its own durations, which options change', () => {
  assert.equal(readOptions(['--full'])!.rounds, 2);
  assert.equal(readOptions(['--compare', 'HEAD'])!.rounds, 8);
  const words = ['--scaling', '--rounds', '5', '--secs', '1', '--conns=10', '--rate', '0', '--node', '/n'];
  const { mode, rounds, measureMs, connections, rate, node } = readOptions(words)!;
  assert.deepEqual([mode, rounds, measureMs, connections, rate, node], ['scaling', 5, 1_000, 10, 0, '/n']);
});

test('one revision is compared with the working tree, two with each other', () => {
  assert.deepEqual(readOptions(['--compare', 'v1.2'])!.revisions, ['v1.2', undefined]);
  assert.deepEqual(readOptions(['--compare', 'main~3..main'])!.revisions, ['main~3', 'main']);
});

test('invalid options are refused with the valid ones', () => {
  const refused: [words: string[], what: RegExp][] = [
    [['--only', 'squid'], /--only squid: known are rollcall, nginx/],
    [['--only', ','], /--only needs a name/],
    [['--rounds', '0'], /--rounds 0: must be an integer from 1 to 1000/],
    [['--secs', '1.5'], /--secs 1.5: must be an integer/],
    [['--conns', ''], /--conns : must be/],
    [['--full', '--scaling'], /--full and --scaling are different measurements/],
    [['--rows', 'tls'], /--rows goes with --full/],
    [['--scaling', '--only', 'nginx'], /--only goes with other proxies/],
    [['--only', 'rollcall', '--reference', 'nginx'], /--reference nginx is not in --only/],
    [['--compare', 'a..b..c'], /: must be REV, or A\.\.B/],
    [['--compare', '..b'], /: must be REV/],
    [['--frobnicate'], /--frobnicate.*see --help/],
    [['nginx'], /nginx.*see --help/],
  ];
  for (const [words, what] of refused) assert.throws(() => readOptions(words), what, words.join(' '));
});

test('help names every row', () => {
  assert.equal(readOptions(['--help']), undefined);
  assert.deepEqual(
    fullScenarios().map(({ name }) => name),
    ROW_NAMES,
  );
  assert.match(HELP, /--compare REV/);
});
