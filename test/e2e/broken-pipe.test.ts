import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Site } from '../site/site.ts';

const ROLLCALL = fileURLToPath(new URL('../../packages/cli/bin/rollcall.js', import.meta.url));
const FROM_SOURCE = ['--conditions=@rollcall/source', '--import', import.meta.resolve('tsx')];

function rollcall(words: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
  return spawn(process.execPath, [...FROM_SOURCE, ROLLCALL, ...words], { env: { ...process.env, ...environment } });
}

test('whoever reads only the beginning of the output hears no complaint', async (t) => {
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
    // Something more to print, after the reader has gone.
    const noise = setInterval(() => void site.put('n', { url: 'http://127.0.0.1:9' }).catch(() => {}), 50);
    const [code] = await ended.finally(() => clearInterval(noise));
    assert.deepEqual([code, complaint], [0, '']);
  }
});
