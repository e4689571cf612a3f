/** The packed SDK in common test runners and bundlers: Jest, Vitest, webpack and Next.js, from the npm registry. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '@rollcall/core/testing';
import type { NodeResource } from '@rollcall/protocol';
import { startUp, type Up, until } from '../e2e/up.ts';
import { EmptyFolder } from './empty-folder.ts';
import type { Running } from './fresh-clone.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLES = join(ROOT, 'packages/agent/examples');
const TIMEOUT_MS = 10 * 60_000;

/** Passes when the SDK is off, or once the node is registered where ROLLCALL_URL is given. */
const IS_OFF_OR_REGISTERS = `
test('is off, or registers', async () => {
  const node = rollcall({ balancer: 'RUNNER', contexts: ['/RUNNER'] });
  if (node.isEnabled !== Boolean(process.env.ROLLCALL_URL)) throw new Error('isEnabled is ' + node.isEnabled);
  if (!node.isEnabled) return;
  const registered = new Promise((done) => node.on('registered', done));
  const server = createServer().listen(0, '127.0.0.1');
  node.attach(server);
  await registered;
  await new Promise((done) => server.close(done));
});
`;

const PROGRAM = `
import { createServer } from 'node:http';
import { rollcall } from '@rollcall/agent';
const server = createServer((request, response) => response.end('bundled')).listen(0, '127.0.0.1');
rollcall({ balancer: 'bundled', contexts: ['/bundled'] }).attach(server);
`;

/** Fails on warnings too: a bundler that misses a module only warns. */
const WEBPACK = `
const output = { path: __dirname + '/out', filename: 'bundle.cjs' };
require('webpack')({ mode: 'production', target: 'node', entry: './program.mjs', output }, (error, stats) => {
  if (!error && !stats.hasErrors() && !stats.hasWarnings()) return;
  console.log(error ?? stats.toString());
  process.exitCode = 1;
});
`;

async function succeeds(running: Running): Promise<string> {
  assert.equal(await running.ended(), 0, running.output);
  return running.output;
}

describe('the packed SDK', { timeout: TIMEOUT_MS }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-tarballs-'));
  let tarball = '';
  let up: Up;

  before(async () => {
    execFileSync('npm', ['run', '--silent', 'pack', '--', folder], { cwd: ROOT, stdio: 'pipe' });
    tarball = join(folder, readdirSync(folder).find((file) => file.startsWith('rollcall-agent-'))!);
    up = await startUp();
  });
  after(async () => {
    await up?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A folder with the files of an example and the SDK; `undefined`, and the test skipped, without a registry. */
  async function installed(t: TestContext, example: string | undefined, ...packages: string[]) {
    const project = new EmptyFolder();
    t.after(() => project.close());
    if (example !== undefined) cpSync(join(EXAMPLES, example), project.path, { recursive: true });
    const isInstalled = await project.install(t, '--cache', join(folder, 'npm-cache'), tarball, ...packages);
    return isInstalled ? project : undefined;
  }

  const isServed = (path: string, answer: RegExp) =>
    until(async () => answer.test(await (await fetch(up.proxyUrl + path)).text()), `${path} to be served`);

  for (const [runner, imports] of [
    ['jest', "const { createServer } = require('node:http');\nconst { rollcall } = require('@rollcall/agent');"],
    [
      'vitest',
      "import { test } from 'vitest';\nimport { createServer } from 'node:http';\nimport { rollcall } from '@rollcall/agent';",
    ],
  ] as const)
    test(`is off in ${runner} unless ROLLCALL_URL is given, and lets it end`, async (t) => {
      const project = await installed(t, runner);
      if (project === undefined) return;
      project.write('sdk.test.js', imports + IS_OFF_OR_REGISTERS.replaceAll('RUNNER', runner));
      for (const url of ['', up.controlUrl]) {
        const output = await succeeds(project.run('npm', ['test'], { NO_COLOR: '1', ROLLCALL_URL: url }));
        assert.match(output, /\b2 passed/);
        assert.doesNotMatch(output, /did not exit|close timed out/);
      }
      assert.ok(
        up.log.some((line) => /"event":"registered"/.test(line) && line.includes(`"node":"${runner}-`)),
        up.log.join('\n'),
      );
    });

  test('works in a bundle by webpack, which reports nothing', async (t) => {
    const project = await installed(t, undefined, 'webpack@5.113.0');
    if (project === undefined) return;
    project.write('program.mjs', PROGRAM);
    project.write('build.cjs', WEBPACK);
    await succeeds(project.run(process.execPath, ['build.cjs']));
    // A folder outside of all packages.
    renameSync(join(project.path, 'out', 'bundle.cjs'), join(folder, 'bundle.cjs'));
    const program = project.run(process.execPath, [join(folder, 'bundle.cjs')], { ROLLCALL_URL: up.controlUrl });
    await isServed('/bundled', /^bundled$/);
    program.ctrlC();
    assert.equal(await program.ended(), 'SIGINT', program.output);
  });

  test('makes a node of the standalone output of Next.js, which leaves in order', async (t) => {
    const project = await installed(t, 'next');
    if (project === undefined) return;
    await succeeds(project.run('npm', ['run', 'build'], { NEXT_TELEMETRY_DISABLED: '1' }));
    const standalone = join(folder, 'standalone');
    renameSync(join(project.path, '.next', 'standalone'), standalone);
    const program = project.run(process.execPath, [join(standalone, 'server.js')], {
      HOSTNAME: '127.0.0.1',
      PORT: String(await freePort()),
      ROLLCALL_URL: up.controlUrl,
      NEXT_MANUAL_SIG_HANDLE: 'true',
    });
    await isServed('/', /price: <!-- -->12|price: 12/);
    const { nodes } = await up.api<{ nodes: NodeResource[] }>('GET', '/v1/nodes');
    const { id } = nodes.find(({ balancer }) => balancer === 'shop')!;
    program.ctrlC();
    assert.equal(await program.ended(), 'SIGINT', program.output);
    await until(async () => up.log.some((line) => line.includes(`node ${id} is gone: it left`)), 'it to leave');
  });
});
