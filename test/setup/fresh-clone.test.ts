/** The first two commands of a new user, `npm start` and `npm test`, on unprepared clones. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FreshClone, type Running } from './fresh-clone.ts';

const LOOK_AGAIN_MS = 100;
/** For all tests of one clone. */
const TIMEOUT_MS = 15 * 60_000;

/** The last lines of the start of `npm start`; resolves with the address of the site. */
async function usageLines(demo: Running): Promise<string> {
  await demo.said(/^stop {2,}\S.*\n/m);
  const lines = [
    'site',
    'balancer-manager',
    'another login',
    'drain a node',
    'add your program',
    'scale',
    'run commands in',
    'stop',
  ];
  const told = demo.output.trimEnd().split('\n').slice(-lines.length);
  assert.deepEqual(
    told.map((line) => line.split(/ {2,}/)[0]),
    lines,
    demo.output,
  );
  const [, site] = /^site +(http:\/\/127\.0\.0\.1:\d+)$/m.exec(demo.output) ?? [];
  assert.ok(site, demo.output);
  return site;
}

/** Names of the nodes that answer new visitors, until there are three. */
async function threeNodes(site: string): Promise<Set<string>> {
  const nodes = new Set<string>();
  for (let visitor = 0; visitor < 60 && nodes.size < 3; visitor++) {
    const response = await fetch(site);
    assert.equal(response.status, 200);
    const [name] = /demo-\d/.exec(await response.text()) ?? [];
    if (name !== undefined) nodes.add(name);
  }
  return nodes;
}

async function endsInOrder(demo: Running, clone: FreshClone): Promise<void> {
  demo.ctrlC();
  assert.equal(await demo.ended(), 0, demo.output);
  assert.doesNotMatch(demo.output, /npm err/i);
  assert.deepEqual(clone.processes(), []);
}

describe('a clone in a directory with spaces', { timeout: TIMEOUT_MS }, () => {
  let clone: FreshClone;
  before(() => {
    clone = new FreshClone();
  });
  afterEach(() => clone.endAll());
  after(() => clone.close());

  test('without the registry it prints one line, and leaves no partial installation', async () => {
    const start = clone.npm(['start'], { npm_config_registry: 'http://127.0.0.1:9/', npm_config_fetch_retries: '0' });
    assert.equal(await start.ended(), 1);
    assert.match(start.output, /^rollcall: cannot reach the npm registry \(ECONNREFUSED\).*$/m);
    assert.equal(clone.isInstalled, false);
  });

  test('Ctrl-C during the installation leaves nothing running and nothing that counts as installed', async () => {
    const start = clone.npm(['start']);
    await start.said(/installing dependencies/);
    while (!existsSync(join(clone.directory, 'node_modules'))) await sleep(LOOK_AGAIN_MS);
    start.ctrlC();
    assert.notEqual(await start.ended(), 0);
    assert.equal(clone.isInstalled, false);
    assert.deepEqual(clone.processes(), []);
  });

  test('npm start installs, builds, and serves from three nodes; Ctrl-C ends all of it with exit code 0', async () => {
    const demo = clone.npm(['start']);
    const site = await usageLines(demo);
    assert.equal((await threeNodes(site)).size, 3);
    await endsInOrder(demo, clone);
  });

  test('the second time it installs nothing', async () => {
    const demo = clone.npm(['start']);
    const site = await usageLines(demo);
    assert.equal((await fetch(site)).status, 200);
    assert.doesNotMatch(demo.output, /installing/);
    await endsInOrder(demo, clone);
  });

  test('when its ports are taken it uses the next free ones and reports this first', async (t) => {
    const holders: Server[] = [];
    t.after(() => {
      for (const holder of holders) holder.close();
    });
    for (const port of [8080, 8400]) {
      const holder = createServer();
      holder.listen(port, '127.0.0.1');
      // A foreign listener serves as well.
      const isOurs = await once(holder, 'listening').then(
        () => true,
        () => false,
      );
      if (isOurs) holders.push(holder);
    }
    const demo = clone.npm(['start']);
    const site = await usageLines(demo);
    const [first] = demo.output.split('\n').filter((line) => line !== '' && !/^(?:>|npm )/.test(line));
    assert.match(first ?? '', /8080 is taken, using \d+.*8400 is taken, using \d+/);
    assert.notEqual(new URL(site).port, '8080');
    assert.equal((await fetch(site)).status, 200);
    await endsInOrder(demo, clone);
  });

  test('a kill of the demo alone leaves no process behind', async () => {
    const demo = clone.npm(['start']);
    await usageLines(demo);
    const supervisor = clone.processes().find((line) => / demo$/.test(line) && line.includes('rollcall.js'));
    assert.ok(supervisor, clone.processes().join('\n'));
    process.kill(Number.parseInt(supervisor, 10), 'SIGKILL');
    await demo.ended();
    for (let look = 0; look < 200 && clone.processes().length > 0; look++) await sleep(LOOK_AGAIN_MS);
    assert.deepEqual(clone.processes(), []);
  });

  test('two set-ups at once: one installs, the other waits, both end well', async () => {
    writeFileSync(join(clone.directory, 'node_modules', '.rollcall-installed'), 'another lock file');
    const both = [clone.run('node', ['.tools/setup.mjs']), clone.run('node', ['.tools/setup.mjs'])];
    assert.deepEqual(await Promise.all(both.map((setup) => setup.ended())), [0, 0]);
    assert.equal(both.filter(({ output }) => output.includes('installing')).length, 1);
    assert.equal(both.filter(({ output }) => /waiting for process \d+/.test(output)).length, 1);
  });

  test('npm test runs the tests it finds and ends with their count', async () => {
    const tests = clone.npm(['test', '--', 'packages/protocol/src/codec.test.ts']);
    assert.equal(await tests.ended(), 0, tests.output);
    assert.match(tests.output.trimEnd(), /\n\d+ passed, 0 failed, 0 skipped$/);
  });

  test('nothing was written to the home directory but what npm itself writes about its runs', () => {
    const written = readdirSync(clone.home, { recursive: true })
      .map(String)
      .filter((path) => !/^\.npm(?:\/_logs(?:\/.*)?|\/_update-notifier-last-checked)?$/.test(path));
    assert.deepEqual(written, []);
  });
});

test('with NODE_ENV=production and ignore-scripts=true it works the same', { timeout: TIMEOUT_MS }, async (t) => {
  const clone = new FreshClone();
  t.after(() => clone.close());
  const demo = clone.npm(['start'], { NODE_ENV: 'production', npm_config_ignore_scripts: 'true' });
  const site = await usageLines(demo);
  assert.equal((await threeNodes(site)).size, 3);
  await endsInOrder(demo, clone);
});

test('an old Node gets one line', async (t) => {
  const clone = new FreshClone();
  t.after(() => clone.close());
  const pretend = join(clone.home, 'node-18.cjs');
  writeFileSync(
    pretend,
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } });\n",
  );
  const setup = clone.run('node', ['--require', pretend, '.tools/setup.mjs']);
  assert.equal(await setup.ended(), 1);
  assert.equal(setup.output, 'rollcall needs Node 20.19 or newer; this is 18.20.4\n');
});
