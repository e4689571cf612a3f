/**
 * Runs the tests:
 *
 *   test.mjs           as `npm test`
 *   test.mjs long      long tests
 *   test.mjs faults    fault drills
 *   test.mjs compose   tests with containers
 *   test.mjs FILE…     these files
 *
 * The last line of the output has the counts. The exit code is 0 if at least one test ran and no test failed. With CI=true a skipped
 * test counts as failed, because CI provides everything that tests need.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { batchesOf, runsAlone, testFiles } from './test-files.mjs';
import { makeReady, ROOT } from './workspace.mjs';

/** Time limit of one test. */
const TEST_TIMEOUT_MS = 15 * 60_000;

process.chdir(ROOT);
const scratch = mkdtempSync(join(tmpdir(), 'rollcall-test-'));
let running;
let stoppedBy;
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    stoppedBy = signal;
    running?.kill(signal);
  });

const groups = wantedGroups(process.argv.slice(2));
// Tests start compiled programs, so the sources must be compiled first.
await makeReady();
if (process.exitCode) process.exit();
const tests = [];
for (const group of groups)
  if (group.files.length > 0 && stoppedBy === undefined) tests.push(...(await runGroup(group)));
rmSync(scratch, { recursive: true, force: true });
process.exitCode = report(tests);

function wantedGroups(args) {
  const grouped = (files) => {
    const alone = files.filter(runsAlone);
    const others = files.filter((file) => !runsAlone(file));
    return [
      // More files than processors, because tests mostly wait.
      { files: others, concurrency: availableParallelism() + 1 },
      { files: alone, concurrency: 1 },
    ];
  };
  const { unit, e2e, ...apart } = testFiles(ROOT);
  if (args.length === 0) return grouped([...batchesOf(unit).map(batchFile), ...e2e]);
  if (args.length === 1 && args[0] === 'faults')
    return grouped(apart.long.filter((path) => path.startsWith('test/faults/')));
  if (args.length === 1 && Object.hasOwn(apart, args[0])) return grouped(apart[args[0]]);
  return grouped(args.map((file) => relative(ROOT, resolve(process.env.INIT_CWD ?? ROOT, file))));
}

/** Path of a test file that imports these files, so that one process runs all of them. */
function batchFile(files, number) {
  const path = join(scratch, `batch-${number}.test.mjs`);
  const imports = files.map((file) => `import ${JSON.stringify(pathToFileURL(join(ROOT, file)))};\n`);
  writeFileSync(path, imports.join(''));
  return path;
}

/** Runs these files with node:test. Resolves with the outcome of each test. */
function runGroup({ files, concurrency }) {
  const tally = join(scratch, `tally-${tests.length}.jsonl`);
  const args = [
    '--conditions=@rollcall/source',
    `--import=${new URL('./typescript.mjs', import.meta.url).href}`,
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${new URL('./test-tally.mjs', import.meta.url).href}`,
    `--test-reporter-destination=${tally}`,
    ...files,
  ];
  return new Promise((done) => {
    running = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    running.once('close', (code) => {
      running = undefined;
      const told = readTally(tally);
      const isExplained = told.some(({ outcome }) => outcome === 'failed');
      if (code !== 0 && !isExplained)
        told.push({
          outcome: 'failed',
          name: `node --test ended with ${code ?? 'a signal'}`,
          file: '',
          reason: '',
          ms: 0,
        });
      done(told);
    });
  });
}

function readTally(path) {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  } catch {
    // The process ended before the first test.
    return [];
  }
}

/** Prints slow, skipped and failed tests, then the counts. Returns the exit code. */
function report(all) {
  const of = (outcome) => all.filter((test) => test.outcome === outcome);
  const [passed, failed, skipped] = [of('passed'), of('failed'), of('skipped')];
  console.log();
  for (const [file, ms] of slowest(all)) console.log(`slow: ${Math.round(ms / 1_000)} s ${file}`);
  for (const { name, file, reason } of skipped) console.log(`skipped: ${name} (${file})${reason && `: ${reason}`}`);
  for (const { name, file, reason } of failed)
    console.log(`failed: ${name}${file && ` (${file})`}${reason && `: ${reason}`}`);
  const mustNotSkip = process.env.CI === 'true';
  if (mustNotSkip && skipped.length > 0) console.log('CI=true: a skipped test counts as failed');
  if (all.length === 0) console.log('failed: no test was found');
  console.log(`${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`);
  if (stoppedBy !== undefined) return stoppedBy === 'SIGINT' ? 130 : 143;
  return failed.length > 0 || all.length === 0 || (mustNotSkip && skipped.length > 0) ? 1 : 0;
}

/** The slowest files with their durations in milliseconds; SLOWEST sets their number, default 5. */
function slowest(all) {
  const byFile = new Map();
  for (const { file, ms } of all) byFile.set(file, (byFile.get(file) ?? 0) + ms);
  return [...byFile].sort(([, a], [, b]) => b - a).slice(0, Number(process.env.SLOWEST ?? 5));
}
