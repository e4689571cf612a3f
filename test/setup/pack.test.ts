/** The tarballs of `npm run pack`, each installed and used in an empty folder outside of the clone. */
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
/** Not dependencies of the workspace, because `npm start` would install them as well. */
const CHECKERS = ['publint@0.3.25', '@arethetypeswrong/cli@0.18.5'];

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
    const env = { ...process.env, GITHUB_SERVER_URL: 'https://github.example', GITHUB_REPOSITORY: 'owner/rollcall' };
    execFileSync('npm', ['run', '--silent', 'pack', '--', folder], { cwd: ROOT, stdio: 'pipe', env });
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

  test('their manifests name the command, the types, the licence and the repository', () => {
    const manifestOf = (name: string): Record<string, unknown> =>
      JSON.parse(execFileSync('tar', ['xzOf', tarballs.get(name)!, 'package/package.json'], { encoding: 'utf8' }));
    const [cli, agent] = [manifestOf('cli'), manifestOf('agent')];
    assert.deepEqual(cli['bin'], { rollcall: './bin/rollcall.js' });
    assert.equal(agent['types'], './dist/cjs/index.d.ts');
    for (const [name, manifest] of Object.entries({ cli, agent })) {
      assert.equal(manifest['name'], `@rollcall/${name}`);
      assert.equal(manifest['license'], 'Apache-2.0');
      assert.deepEqual(manifest['publishConfig'], { access: 'public' });
      assert.deepEqual(manifest['repository'], {
        type: 'git',
        url: 'git+https://github.example/owner/rollcall.git',
        directory: `packages/${name}`,
      });
      assert.doesNotMatch(JSON.stringify(manifest), /devDependencies|scripts|"private"/);
    }
  });

  test('publint and arethetypeswrong report nothing', async (t) => {
    const tools = new EmptyFolder();
    t.after(() => tools.close());
    if (!(await tools.install(t, ...CHECKERS))) return;
    for (const tarball of tarballs.values()) {
      const output = await succeeds(tools.runInstalled('publint', ['run', '--strict', tarball]));
      assert.match(output, /All good!/);
    }
    await succeeds(tools.runInstalled('attw', [tarballs.get('agent')!]));
    // The command has no CommonJS build: it is started, and imported by ES modules only.
    await succeeds(tools.runInstalled('attw', ['--profile', 'esm-only', tarballs.get('cli')!]));
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
    const page = await (await fetch(`${control}/balancer-manager`)).text();
    const [, script = ''] = /src="(\/assets\/app-[^"]+\.js)"/.exec(page) ?? [];
    assert.match(await (await fetch(control + script)).text(), /\/v1\/watch/);
  });

  test('the command installs for all of the machine', async () => {
    // npm places the dependencies of a global package below it, not beside it. They are in its cache already.
    const options = ['--global', '--prefix=global', '--prefer-offline', '--no-audit', '--no-fund'];
    await succeeds(command.run('npm', ['install', ...options, tarballs.get('cli')!]));
    const version = command.run(join(command.path, 'global', 'bin', 'rollcall'), ['--version']);
    assert.match(await succeeds(version), /^\d+\.\d+\.\d+\n$/);
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
