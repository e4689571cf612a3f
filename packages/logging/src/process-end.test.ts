import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const FIXTURE = fileURLToPath(new URL('./process-end.fixture.ts', import.meta.url));
const FLAGS = process.execArgv.filter((word) => !word.startsWith('--test'));
/** Time limit of a process that must not wait for its reader, milliseconds. */
const END_MS = 10_000;
/** More lines than the buffer of a pipe or a socket holds. */
const LINES = 9_701;
const { O_NONBLOCK, O_RDWR, O_WRONLY } = fs.constants;

type Kind = 'json' | 'plain' | 'inherited';
type End = 'exit' | 'throw' | 'reject' | 'warn' | 'return' | 'flags';

function start(t: TestContext, kind: Kind, end: End, count: number, stderr: 'pipe' | number): ChildProcess {
  const child = spawn(process.execPath, [...FLAGS, FIXTURE, kind, end, String(count)], {
    stdio: ['ignore', 'pipe', stderr],
    timeout: END_MS,
    killSignal: 'SIGKILL',
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** A write descriptor of a full named pipe. Its read end stays open until the test ends. */
function fullPipe(t: TestContext): number {
  const folder = fs.mkdtempSync(join(tmpdir(), 'rollcall-logging-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = fs.openSync(path, O_RDWR | O_NONBLOCK);
  const writer = fs.openSync(path, O_WRONLY);
  t.after(() => {
    fs.closeSync(reader);
    fs.closeSync(writer);
  });
  const octets = Buffer.alloc(4_096, 'x');
  try {
    for (;;) fs.writeSync(reader, octets);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
  }
  return writer;
}

const ENDS: readonly [end: End, kind: Kind, code: number, last: RegExp][] = [
  ['exit', 'plain', 5, /line 9700\b/],
  ['return', 'inherited', 5, /line 9700\b/],
  ['warn', 'plain', 5, /be careful/],
  ['throw', 'json', 1, /a bug/],
  ['reject', 'json', 1, /a bug/],
];

for (const [end, kind, code, last] of ENDS)
  test(`${end}: an active reader receives all lines, a stopped reader does not delay the exit, and the exit code is ${code}`, async (t) => {
    const socket = start(t, kind, end, 20_000, 'pipe');
    socket.stderr!.pause();
    const reads = start(t, kind, end, LINES, 'pipe');
    let text = '';
    reads.stderr!.on('data', (octets: Buffer) => {
      text += octets.toString();
    });
    const ends = [socket, start(t, kind, end, 20_000, fullPipe(t))].map((child) => once(child, 'exit'));
    assert.deepEqual(await Promise.all([...ends, once(reads, 'close')]), Array(3).fill([code, null]));
    for (let i = 0; i < LINES; i += 97) assert.match(text, new RegExp(`line ${i}\\b`));
    assert.match(text, last);
    assert.match(text, /\n$/);
  });

test('a socket that a child program shares as standard error stays blocking', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const child = start(t, 'inherited', 'flags', 1, 'pipe');
  let text = '';
  child.stdout!.on('data', (octets: Buffer) => {
    text += octets.toString();
  });
  await once(child, 'close');
  const flags = Number.parseInt(/flags:\s+(\d+)/.exec(text)![1]!, 8);
  assert.equal(flags & O_NONBLOCK, 0, text);
});

test('a file that has reached its size limit loses lines; the process continues', (t) => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'rollcall-logging-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const path = join(folder, 'log');
  const words = [process.execPath, ...FLAGS, FIXTURE, 'json', 'return', String(LINES)];
  const { status, signal } = spawnSync('sh', ['-c', `ulimit -f 100; exec "$@" 2>${path}`, 'sh', ...words]);
  assert.deepEqual([status, signal], [5, null]);
  const { size } = fs.statSync(path);
  assert.ok(size > 0 && size <= 102_400, `${size} octets`);
});
