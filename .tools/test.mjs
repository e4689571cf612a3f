/**
 * Runs the tests: `test.mjs` what `npm test` runs, `test.mjs long` what takes longer, `test.mjs compose` what
 * needs a container engine, `test.mjs FILE…` these files.
 * The last line of the output is the count. Exit code 0 only when none failed; with CI=true a skipped test counts as
 * failed, since CI is where nothing may be missing.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { runsAlone, testFiles } from './test-files.mjs';
import { makeReady, ROOT } from './workspace.mjs';

/** A test that hangs is ended after this long. */
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
// Processes that tests start are the compiled ones: what was compiled last must not be tested.
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
      // They wait more than they work.
      { files: others, concurrency: availableParallelism() + 1 },
      { files: alone, concurrency: 1 },
    ];
  };
  const { unit, e2e, ...apart } = testFiles(ROOT);
  if (args.length === 0) return grouped([...unit, ...e2e]);
  if (args.length === 1 && Object.hasOwn(apart, args[0])) return grouped(apart[args[0]]);
  return grouped(args.map((file) => relative(ROOT, resolve(process.env.INIT_CWD ?? ROOT, file))));
}

/** Runs some files with node:test and resolves with what became of each test in them. */
function runGroup({ files, concurrency }) {
  const tally = join(scratch, `tally-${tests.length}.jsonl`);
  const args = [
    '--conditions=@rollcall/source',
    '--import=tsx',
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
    // It never came to running a test.
    return [];
  }
}

/** Prints what was skipped and what failed, then the count; returns the exit code. */
function report(all) {
  const of = (outcome) => all.filter((test) => test.outcome === outcome);
  const [passed, failed, skipped] = [of('passed'), of('failed'), of('skipped')];
  console.log();
  for (const [file, ms] of slowest(all)) console.log(`slow: ${Math.round(ms / 1_000)} s ${file}`);
  for (const { name, file, reason } of skipped) console.log(`skipped: ${name} (${file})${reason && `: ${reason}`}`);
  for (const { name, file } of failed) console.log(`failed: ${name}${file && ` (${file})`}`);
  const mustNotSkip = process.env.CI === 'true';
  if (mustNotSkip && skipped.length > 0) console.log('CI=true: a skipped test counts as failed');
  if (all.length === 0) console.log('failed: no test was found');
  console.log(`${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`);
  if (stoppedBy !== undefined) return stoppedBy === 'SIGINT' ? 130 : 143;
  return failed.length > 0 || all.length === 0 || (mustNotSkip && skipped.length > 0) ? 1 : 0;
}

/** The files that took longest, with their milliseconds. */
function slowest(all) {
  const byFile = new Map();
  for (const { file, ms } of all) byFile.set(file, (byFile.get(file) ?? 0) + ms);
  return [...byFile].sort(([, a], [, b]) => b - a).slice(0, Number(process.env.SLOWEST ?? 5));
}
