import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { ROLLCALL } from '../site/commands.ts';
import { Site } from '../site/site.ts';

function rollcall(words: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
  return spawn(process.execPath, [ROLLCALL, ...words], { env: { ...process.env, ...environment } });
}

test('a reader that closes the pipe early causes no error message', async (t) => {
  const site = await Site.start(t);
  const commands = [
    rollcall(['up', '--help']),
    rollcall(['events', '--follow'], {
      ROLLCALL_URL: site.controlUrl,
      ROLLCALL_TOKEN_FILE: `${site.stateDir}/admin-token`,
    }),
  ];
  for (const command of commands) {
    t.after(() => command.kill());
    let complaint = '';
    command.stderr!.on('data', (text) => {
      complaint += text;
    });
    const ended = once(command, 'close');
    command.stdout!.once('data', () => command.stdout!.destroy());
    // Something more to print, after the reader has gone: each node is an event.
    let nodes = 0;
    const noise = setInterval(() => void site.put(`n${nodes++}`, { url: 'http://127.0.0.1:9' }).catch(() => {}), 50);
    const [code] = await ended.finally(() => clearInterval(noise));
    assert.deepEqual([code, complaint], [0, '']);
  }
});

/** Outcome of a command whose standard output, and optionally standard error, is a full device. */
function onFullDevice(words: readonly string[], isErrorFull = false): { code: number | null; complaint: string } {
  const full = openSync('/dev/full', 'w');
  const { status, stderr } = spawnSync(process.execPath, [ROLLCALL, ...words], {
    stdio: ['ignore', full, isErrorFull ? full : 'pipe'],
    encoding: 'utf8',
  });
  closeSync(full);
  return { code: status, complaint: stderr ?? '' };
}

const FULL = 'rollcall: cannot write to standard output (ENOSPC)\n';

test('output that cannot be written is one line on standard error, and exit code 1', {
  skip: !existsSync('/dev/full'),
}, () => {
  for (const words of [['simulate', '--list'], ['up', '--help'], ['--version'], ['run', '--help']])
    assert.deepEqual(onFullDevice(words), { code: 1, complaint: FULL }, words.join(' '));
  assert.equal(onFullDevice(['simulate', '--list'], true).code, 1);
});

test('complaints that cannot be written change no exit code', { skip: !existsSync('/dev/full') }, () => {
  for (const [words, code] of [
    [['nodes', '--coordinator', 'http://127.0.0.1:1'], 3],
    [['up', '--unknown'], 2],
    [['up', '--workers', 'none'], 2],
    [['run'], 2],
  ] as const)
    assert.equal(onFullDevice(words, true).code, code, words.join(' '));
});
