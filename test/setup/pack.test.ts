/** What leaves the clone: the tarballs of `npm run pack`, each installed in an empty folder elsewhere and used there. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { EmptyFolder } from './empty-folder.ts';
import type { Running } from './fresh-clone.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TIMEOUT_MS = 5 * 60_000;
const LOOK_AGAIN_MS = 50;

/** Exact versions of packages as this workspace has them installed. */
function installed(...names: string[]): string[] {
  return names.map((name) => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as {
      version: string;
    };
    return `${name}@${version}`;
  });
}

async function succeeds(running: Running): Promise<string> {
  assert.equal(await running.ended(), 0, running.output);
  return running.output;
}

/** Text of `url` as soon as it is answered with 200. */
async function answerOf(url: string): Promise<string> {
  for (;;) {
    const response = await fetch(url);
    const text = await response.text();
    if (response.status === 200) return text;
    // No node at all yet, or none for this path.
    assert.match(String(response.status), /^(?:404|503)$/, text);
    await sleep(LOOK_AGAIN_MS);
  }
}

const PROGRAM = `
import { createServer } from 'node:http';
createServer((request, response) => response.end('wrapped\\n')).listen(Number(process.env.PORT), '127.0.0.1');
`;

const EXPRESS = `
import { rollcall } from '@rollcall/agent';
import express from 'express';
const app = express();
app.get('/shop', (request, response) => response.send('attached\\n'));
const node = rollcall({ balancer: 'shop', contexts: ['/shop'] });
node.attach(app.listen(0, '127.0.0.1'));
`;

const TYPED = `
import { createServer } from 'node:http';
import { type RollcallNode, type RollcallOptions, rollcall } from '@rollcall/agent';
import express from 'express';
const options: RollcallOptions = { balancer: 'shop', sticky: { mode: 'suffix', cookies: ['connect.sid'] } };
const node: RollcallNode = rollcall(options);
node.attach(createServer());
node.attach(express().listen(0));
node.metric('queue', { capacity: 100 }, () => 3);
node.on('warning', ({ code, message }) => console.log(code.toUpperCase(), message.length));
export const id: string = node.sessionId();
`;

describe('npm run pack', { timeout: TIMEOUT_MS }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-tarballs-'));
  const tarballs = new Map<string, string>();
  const command = new EmptyFolder();
  const project = new EmptyFolder();
  let up: Running;
  let site = '';
  let control = '';

  before(() => {
    execFileSync('npm', ['run', '--silent', 'pack', '--', folder], { cwd: ROOT, stdio: 'pipe' });
    for (const file of readdirSync(folder)) {
      const [, name] = /^rollcall-([a-z]+)-\d+\.\d+\.\d+\.tgz$/.exec(file) ?? [];
      if (name !== undefined) tarballs.set(name, join(folder, file));
    }
  });
  after(async () => {
    await project.close();
    await command.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('makes one tarball of the command and one of the agent, without tests, sources and source maps', () => {
    assert.deepEqual([...tarballs.keys()].sort(), ['agent', 'cli']);
    for (const tarball of tarballs.values()) {
      const files = execFileSync('tar', ['tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
      assert.ok(files.includes('package/LICENSE') && files.includes('package/README.md'), tarball);
      assert.ok(files.includes('package/node_modules/@rollcall/protocol/dist/index.js'), tarball);
      const unwanted = files.filter((file) =>
        /\.map$|\.test\.|\.fixture\.|\/testing\/|\.tsbuildinfo$|[^d]\.ts$|\/src\//.test(file),
      );
      assert.deepEqual(unwanted, []);
      const text = execFileSync('tar', ['xzOf', tarball], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
      assert.doesNotMatch(text, /sourceMappingURL=\S+\.map$|@rollcall\/source/m);
    }
  });

  test('the command installs in an empty folder and starts a cluster there', async () => {
    await succeeds(command.run('npm', ['install', '--no-audit', '--no-fund', tarballs.get('cli')!]));
    assert.match(await succeeds(command.runInstalled('rollcall', ['--version'])), /^\d+\.\d+\.\d+\n$/);
    up = command.runInstalled('rollcall', [
      ...['up', '--proxy', '127.0.0.1:0', '--control', '127.0.0.1:0', '--state-dir', 'state'],
      ...['--log-level', 'warn', '--json'],
    ]);
    const [ready] = await up.said(/^\{"type":"ready".*\}$/m);
    const told = JSON.parse(ready) as { proxyUrl: string; controlUrl: string };
    site = told.proxyUrl;
    control = told.controlUrl;
    assert.match(await (await fetch(`${control}/assets/balancer-manager.js`)).text(), /import /);
  });

  test('its run makes a node of a program', async () => {
    command.write('program.mjs', PROGRAM);
    const run = command.runInstalled('rollcall', [
      ...['run', '--id', 'wrapped', '--coordinator', control, '--', process.execPath, 'program.mjs'],
    ]);
    await run.said(/wrapped is registered/);
    assert.equal(await answerOf(site), 'wrapped\n');
    run.ctrlC();
    await run.ended();
  });

  test('the agent installs beside Express and attaches to it', async () => {
    const packages = installed('express', 'typescript', '@types/node', '@types/express');
    await succeeds(project.run('npm', ['install', '--no-audit', '--no-fund', tarballs.get('agent')!, ...packages]));
    project.write('shop.mjs', EXPRESS);
    const shop = project.run(process.execPath, ['shop.mjs'], { ROLLCALL_URL: control });
    assert.equal(await answerOf(`${site}/shop`), 'attached\n');
    shop.ctrlC();
    assert.equal(await shop.ended(), 'SIGINT');
  });

  test('its types hold for strict TypeScript in both module systems, with nothing skipped', async () => {
    const types = (text: string): Running => {
      const files = ['typed.mts', 'typed.cts'];
      for (const file of files) project.write(file, text);
      return project.runInstalled('tsc', [
        ...['--noEmit', '--strict', '--module', 'node16', '--target', 'es2023', '--types', 'node', ...files],
      ]);
    };
    await succeeds(types(TYPED));
    const wrong = types(TYPED.replace("balancer: 'shop'", 'balancer: 7'));
    assert.notEqual(await wrong.ended(), 0);
    assert.match(wrong.output, /typed\.mts.*TS2322/);
    assert.match(wrong.output, /typed\.cts.*TS2322/);
  });

  test('the cluster ends in order', async () => {
    up.ctrlC();
    await succeeds(up);
  });
});
