/** The bench as one command: measurements of a second, and an end in the middle of one. Speeds are not looked at. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const BENCH = fileURLToPath(new URL('../../packages/bench/bin/bench.js', import.meta.url));
const skip = process.platform === 'linux' ? false : 'the bench reads /proc, which only Linux has';

interface Started {
  readonly child: ChildProcess;
  /** Parent of its temporary directories. */
  readonly directory: string;
  readonly ended: Promise<number | null>;
  /** Its output so far. */
  progress(): string;
}

function start(t: TestContext, ...words: string[]): Started {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-bench-test-'));
  const child = spawn(process.execPath, [BENCH, ...words], {
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let progress = '';
  child.stderr!.on('data', (octets: Buffer) => {
    progress += octets.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  });
  return { child, directory, ended, progress: () => progress };
}

/** The grandchildren of the bench end when their parent has ended, which may be a moment later. */
async function leavesNothing({ directory }: Started): Promise<void> {
  const endMs = Date.now() + 20_000;
  while (processesOf(directory).length > 0 && Date.now() < endMs)
    await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual({ files: readdirSync(directory), processes: processesOf(directory) }, { files: [], processes: [] });
}

/** Processes with an argument below `directory`. */
function processesOf(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory);
      } catch {
        return false;
      }
    });
}

test('a measurement of a second has its figures, and leaves no files or processes', { skip }, async (t) => {
  const resultDirectory = mkdtempSync(join(tmpdir(), 'rollcall-bench-result-'));
  t.after(() => rmSync(resultDirectory, { recursive: true, force: true }));
  const [json, markdown] = [join(resultDirectory, 'report.json'), join(resultDirectory, 'report.md')];
  const words = '--only rollcall --rounds 1 --secs 1 --conns 4 --rate 100'.split(' ');
  const bench = start(t, ...words, '--json', json, '--markdown', markdown);
  assert.equal(await bench.ended, 0, bench.progress());

  const report = JSON.parse(readFileSync(json, 'utf8'));
  assert.equal(report.mode, 'side-by-side');
  assert.match(report.command, /^npm run bench -- --only rollcall/);
  assert.ok(Date.parse(report.date) > 0 && report.revision.length > 0 && report.machine.cpus > 0);
  assert.deepEqual(report.leftOut, []);
  assert.equal(report.data.reference, 'rollcall');
  const [{ scenario, rate, results }] = report.data.scenarios;
  assert.deepEqual([scenario.name, rate, results.length], ['small', 100, 1]);
  const [{ name, version, cost, latency, error }] = results;
  assert.deepEqual([name, error, cost.length, latency.length], ['rollcall', undefined, 1, 1]);
  assert.equal(report.versions.rollcall, version);
  assert.deepEqual([cost[0].failures, latency[0].failures], [{}, {}]);
  for (const part of ['cpuUs', 'userUs', 'systemUs', 'perSecond', 'memoryBytes', 'answered', 'cpusBusy'])
    assert.ok(cost[0][part] > 0, `${part} is ${cost[0][part]}`);
  assert.ok(latency[0].p50Us > 0 && latency[0].p50Us <= latency[0].p99Us && latency[0].p99Us <= latency[0].maxUs);
  assert.match(readFileSync(markdown, 'utf8'), /^\| rollcall \S+ +\| +1\.00 \|/m);

  await leavesNothing(bench);
});

test('the control plane is measured with 100 agents, and nothing is left behind', { skip }, async (t) => {
  const resultDirectory = mkdtempSync(join(tmpdir(), 'rollcall-bench-result-'));
  t.after(() => rmSync(resultDirectory, { recursive: true, force: true }));
  const json = join(resultDirectory, 'report.json');
  const words = 'control --agents 100 --secs 1 --rows agents,kill,change'.split(' ');
  const bench = start(t, ...words, '--json', json);
  assert.equal(await bench.ended, 0, bench.progress());

  const report = JSON.parse(readFileSync(json, 'utf8'));
  assert.equal(report.mode, 'control');
  assert.deepEqual(report.leftOut, []);
  const rows = report.data.results as { row: string; agents: number; medians: Record<string, number> }[];
  assert.deepEqual(
    rows.map(({ row, agents }) => [row, agents]),
    [
      ['agents', 100],
      ['kill', 100],
      ['change', 100],
    ],
  );
  assert.equal(rows[1]!.medians['expired'], 0);
  assert.ok(rows[1]!.medians['backSeconds']! > 0);
  assert.ok(rows[2]!.medians['changeP99Ms']! > 0);

  await leavesNothing(bench);
});

test('a signal during a measurement ends all started processes', { skip }, async (t) => {
  const bench = start(t, '--only', 'rollcall', '--rounds', '1', '--secs', '600');
  // It prints nothing while it measures; a state directory exists as soon as the command runs.
  while (
    !processesOf(bench.directory).some((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('state-dir'))
  )
    await new Promise((resolve) => setTimeout(resolve, 50));
  bench.child.kill('SIGINT');
  assert.equal(await bench.ended, 130, bench.progress());
  await leavesNothing(bench);
});

test('wrong arguments are refused before a process is started', { skip }, async (t) => {
  const bench = start(t, '--only', 'squid');
  assert.equal(await bench.ended, 2);
  assert.match(bench.progress(), /^--only squid: known are rollcall, nginx/);
  assert.deepEqual(readdirSync(bench.directory), []);
});
