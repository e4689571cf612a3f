/** `rollcall run` as process 1, as in a container without an init, in a PID namespace of its own. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { ROLLCALL } from '../site/commands.ts';

const NAMESPACE = [...(process.getuid?.() === 0 ? [] : ['-Ur']), '-pf', '--mount-proc', '--kill-child'];
const skip =
  spawnSync('unshare', [...NAMESPACE, 'true']).status === 0 ? false : 'this user may not make PID namespaces';

/** Leaves 40 processes behind, waits until they have ended, and reports how many are zombies. */
const PROGRAM = `
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const stats = () => fs.readdirSync('/proc').filter((name) => Number(name) > 0).flatMap((pid) => {
  try { return [fs.readFileSync('/proc/' + pid + '/stat', 'latin1')]; } catch { return []; }
});
let looks = 0;
for (let i = 0; i < 40; i++) spawn('sh', ['-c', 'sleep 0.3 & exit 0'], { stdio: 'ignore' });
const timer = setInterval(() => {
  if (++looks < 10 || stats().some((text) => / \\(sleep\\) [^Z]/.test(text))) return;
  clearInterval(timer);
  console.log(JSON.stringify({ zombies: stats().filter((text) => / \\(.*\\) Z/.test(text)).length, first: process.ppid }));
  process.exit(7);
}, 100);`;

test('orphans of the program are collected, and the wrapper exits with its code', {
  skip,
  timeout: 180_000,
}, async () => {
  const run = ['run', '--id', 'one', '--coordinator', 'http://127.0.0.1:9', '--', process.execPath, '-e', PROGRAM];
  const { code, stdout } = await new Promise<{ readonly code: unknown; readonly stdout: string }>((resolve) => {
    execFile('unshare', [...NAMESPACE, process.execPath, ROLLCALL, ...run], (error, out) =>
      resolve({ code: error?.code ?? 0, stdout: out }),
    );
  });
  assert.equal(code, 7, stdout);
  const { zombies, first } = JSON.parse(stdout) as { zombies: number; first: number };
  assert.ok(zombies <= 2, `${zombies} zombies`);
  assert.notEqual(first, 1, 'the wrapper is not process 1 itself');
});
