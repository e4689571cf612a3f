import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELP, ROW_NAMES, readOptions } from './options.ts';
import { fullScenarios } from './runs/scenario.ts';

test('without words everything that is here is compared', () => {
  const options = readOptions([])!;
  assert.equal(options.mode, 'side-by-side');
  assert.deepEqual([options.only, options.rounds, options.measureMs, options.connections], [[], 3, 4_000, 64]);
  assert.deepEqual([options.rate, options.reference, options.node], [undefined, undefined, process.execPath]);
});

test('each measurement has its own lengths, which words change', () => {
  assert.equal(readOptions(['--full'])!.rounds, 2);
  assert.equal(readOptions(['--compare', 'HEAD'])!.rounds, 8);
  const words = ['--scaling', '--rounds', '5', '--secs', '1', '--conns=10', '--rate', '0', '--node', '/n'];
  const { mode, rounds, measureMs, connections, rate, node } = readOptions(words)!;
  assert.deepEqual([mode, rounds, measureMs, connections, rate, node], ['scaling', 5, 1_000, 10, 0, '/n']);
});

test('a revision is compared with the working tree, two with each other', () => {
  assert.deepEqual(readOptions(['--compare', 'v1.2'])!.revisions, ['v1.2', undefined]);
  assert.deepEqual(readOptions(['--compare', 'main~3..main'])!.revisions, ['main~3', 'main']);
});

test('what cannot be is refused with what can', () => {
  const refused: [words: string[], what: RegExp][] = [
    [['--only', 'squid'], /--only squid: there is rollcall, nginx/],
    [['--only', ','], /--only needs a name/],
    [['--rounds', '0'], /--rounds 0: it must be a whole number from 1 to 1000/],
    [['--secs', '1.5'], /--secs 1.5: it must be a whole number/],
    [['--conns', ''], /--conns : it must be/],
    [['--full', '--scaling'], /--full and --scaling are different measurements/],
    [['--rows', 'tls'], /--rows goes with --full/],
    [['--scaling', '--only', 'nginx'], /--only goes with other proxies/],
    [['--only', 'rollcall', '--reference', 'nginx'], /--reference nginx is not in --only/],
    [['--compare', 'a..b..c'], /it must be REV, or A\.\.B/],
    [['--compare', '..b'], /it must be REV/],
    [['--frobnicate'], /--frobnicate.*--help shows/],
    [['nginx'], /nginx.*--help shows/],
  ];
  for (const [words, what] of refused) assert.throws(() => readOptions(words), what, words.join(' '));
});

test('help is asked for and names every row that there is', () => {
  assert.equal(readOptions(['--help']), undefined);
  assert.deepEqual(
    fullScenarios().map(({ name }) => name),
    ROW_NAMES,
  );
  assert.match(HELP, /--compare REV/);
});
