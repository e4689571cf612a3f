/** An error in the supervisor is logged and the site keeps serving; an error in a worker ends it, and it is replaced. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { StatusResource } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';

/** Mistakes as code, and what the log has of each. */
const MISTAKES: readonly (readonly [code: string, logged: RegExp])[] = [
  ["Promise.reject(new Error('planted rejection'))", /planted rejection/],
  ['Promise.reject(undefined)', /internal error in the supervisor, which continues: undefined/],
  ["Promise.reject('a word')", /a word/],
  ["setTimeout(() => { throw new TypeError('planted exception') })", /planted exception/],
  ['setImmediate(() => { throw null })', /internal error in the supervisor, which continues: null/],
  ['process.nextTick(() => undefined.nothing)', /Cannot read properties of undefined/],
];

test('errors in the supervisor are logged and the site keeps serving; an error ends a worker, which is replaced', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-mistakes-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const preload = join(directory, 'preload.mjs');
  // The next mistake at each SIGWINCH, which nothing of ours uses.
  writeFileSync(
    preload,
    `const mistakes = [${MISTAKES.map(([code]) => `() => { ${code}; }`).join(', ')}];
     if (process.argv.includes('up') || /processes.worker/.test(process.argv[1]))
       process.on('SIGWINCH', () => mistakes.shift()?.());`,
  );
  const environment = { NODE_OPTIONS: `--import=${pathToFileURL(preload).href}` };
  const site = await Site.start(t, { environment });
  await site.addNode('first', { balancer: 'shop' }, (_, response) => response.end('whole'));
  const page = async (): Promise<string> =>
    (await fetch(`http://127.0.0.1:${site.proxyPort}/`, { headers: { connection: 'close' } })).text();
  for (const [code, logged] of MISTAKES) {
    site.signalUp('SIGWINCH');
    await until(() => logged.test(site.log), `nothing is logged of ${code}`);
    assert.equal(await page(), 'whole', code);
  }
  const processes = async (): Promise<StatusResource['processes']> =>
    (await site.admin<StatusResource>('GET', '/v1/status')).body.processes;
  assert.deepEqual(
    (await processes()).map(({ restarts }) => restarts),
    [0, 0],
  );

  const { pid } = (await processes()).find(({ name }) => name === 'worker')!;
  process.kill(pid!, 'SIGWINCH');
  await until(async () => {
    const worker = (await processes()).find(({ name }) => name === 'worker');
    return worker?.restartReasons.exit === 1 && worker.lastReason === 'Error: planted rejection';
  }, 'the worker is not replaced');
  assert.equal(await page(), 'whole');
  // The supervisor still does its work.
  assert.equal((await site.cli('reload')).code, 0);
});
