/** A terminal that is closed, and an npm that is killed: no process is left, and detached processes keep running. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ROLLCALL } from '../site/commands.ts';
import { until } from './up.ts';

/** Serves, and prints its pid and that of its parent. */
const PROGRAM = `require('node:http').createServer((q, a) => a.end()).listen(process.env.PORT, '127.0.0.1',
  () => console.log('pids ' + process.pid + ' ' + process.ppid + '.'));`;
/** Nothing listens there: the wrapper looks for a coordinator all the time. */
const NOWHERE = 'http://127.0.0.1:9';
const skip = existsSync('/usr/bin/script') ? false : 'apt-get install bsdutils';

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-terminal-'));
  // Processes of the test may still end, and write there.
  t.after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 20 }));
  return directory;
}

/** A command in a terminal of its own, which closes when `child` is killed. */
function inTerminal(command: string, directory: string): { readonly child: ChildProcess; output(): string } {
  const child = spawn('script', ['-qfc', command, '/dev/null'], {
    cwd: directory,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, SHELL: '/bin/sh' },
  });
  let text = '';
  child.stdout!.on('data', (data) => {
    text += String(data);
  });
  return { child, output: () => text };
}

function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** The numbers in the line that begins with `pids`, once it is there. */
async function pidsIn(t: TestContext, text: () => string): Promise<number[]> {
  let pids: number[] = [];
  await until(async () => {
    pids = (/pids (\d+ \d+)\./.exec(text())?.[1] ?? '').split(' ').filter(Boolean).map(Number);
    return pids.length > 0;
  }, 'the program to start');
  t.after(() => pids.filter(isRunning).forEach((pid) => void process.kill(pid, 'SIGKILL')));
  return pids;
}

const allEnded = (pids: readonly number[]) => until(async () => !pids.some(isRunning), `${pids.join(' ')} to end`);
const wrapped = (directory: string) =>
  `${process.execPath} ${ROLLCALL} run --id a --coordinator ${NOWHERE} -- ${process.execPath} ${join(directory, 'program.cjs')}`;

test('the log of up is readable text on a terminal', { skip }, async (t) => {
  const directory = folder(t);
  const ports = '--proxy 127.0.0.1:0 --control 127.0.0.1:0';
  const { child, output } = inTerminal(
    `${process.execPath} ${ROLLCALL} up ${ports} --store memory --state-dir state --log-level debug`,
    directory,
  );
  try {
    await until(
      async () => /^\d\d:\d\d:\d\d\.\d{3} \w+ (?:control|worker \d): \S/m.test(output()),
      'a line of the log',
    );
    await until(async () => /^site {2}/m.test(output()), 'up to serve');
  } finally {
    child.kill('SIGKILL');
  }
  assert.doesNotMatch(output(), /^\{/m);
});

test('up and all its processes end with their terminal', { skip }, async (t) => {
  const directory = folder(t);
  const ports = '--proxy 127.0.0.1:0 --control 127.0.0.1:0';
  const up = `${process.execPath} ${ROLLCALL} up ${ports} --static /files=. --state-dir state --json </dev/null 2>log`;
  const { child, output } = inTerminal(up, directory);
  let pids: number[] = [];
  await until(async () => {
    const ready = /"pids":(\{.*?\})/.exec(output())?.[1];
    pids = ready === undefined ? [] : [...ready.matchAll(/\d+/g)].map(Number);
    return pids.length > 0;
  }, 'up to serve');
  const [supervisor] = pids;
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(supervisor)], { encoding: 'latin1' });
  const all = [supervisor!, ...children.trim().split(/\s+/).map(Number)];
  assert.equal(all.length, 4, 'supervisor, control, worker and static');
  child.kill('SIGKILL');
  await allEnded(all);
});

test('run and its program end with their terminal; after nohup both keep running', { skip }, async (t) => {
  const directory = folder(t);
  writeFileSync(join(directory, 'program.cjs'), PROGRAM);
  const attached = inTerminal(wrapped(directory), directory);
  const log = join(directory, 'log');
  const detached = inTerminal(`nohup ${wrapped(directory)} >${log} 2>&1`, directory);
  const ending = await pidsIn(t, attached.output);
  const living = await pidsIn(t, () => (existsSync(log) ? readFileSync(log, 'latin1') : ''));
  attached.child.kill('SIGKILL');
  detached.child.kill('SIGKILL');
  await allEnded(ending);
  assert.deepEqual(living.map(isRunning), [true, true]);
});

test('run that npm has started ends in order when npm is killed', async (t) => {
  const directory = folder(t);
  writeFileSync(join(directory, 'program.cjs'), PROGRAM);
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ scripts: { start: `${wrapped(directory)}; exit` } }));
  const npm = spawn('npm', ['start'], { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  npm.stdout.on('data', (data) => {
    text += String(data);
  });
  const pids = await pidsIn(t, () => text);
  npm.kill('SIGKILL');
  await allEnded(pids);
});
