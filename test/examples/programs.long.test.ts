/** The programs of packages/examples with two nodes, sessions and a drain. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { Site } from '../site/site.ts';
import { noTomcat } from '../site/tomcat.ts';
import { noFlask, prove, ROOT, readmeCommands, twoNodes } from './example.ts';

const TIMEOUT_MS = 300_000;
const REGISTRY_UNREACHABLE = /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\b/;

const noPhp = existsSync('/usr/bin/php') ? false : 'apt-get install php-cli';

/** The program of each example, why it cannot run on this machine, and its time limit. */
const EXAMPLES: readonly (readonly [example: string, skip: string | false, timeout: number])[] = [
  ['express', false, 180_000],
  ['fastify', false, 180_000],
  ['flask', noFlask(), 180_000],
  ['php', noPhp, 180_000],
  ['tomcat', noTomcat, TIMEOUT_MS],
];

for (const [example, skip, timeout] of EXAMPLES)
  test(`${example}: two nodes, and each session stays while one drains`, { timeout, skip }, (t) => prove(t, example));

test('socket.io: long polling and the WebSocket of a client stay on one node, also while it drains', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const [install = '', up, ...commands] = readmeCommands('socket.io');
  assert.deepEqual([up, commands.length], ['rollcall up', 3]);
  // A copy of the folder at its place beside the SDK, so that nothing is installed in the clone.
  const copy = mkdtempSync(join(tmpdir(), 'rollcall-socket-io-'));
  const site = await Site.start(t);
  t.after(() => rmSync(copy, { recursive: true, force: true }));
  mkdirSync(join(copy, 'packages'));
  symlinkSync(join(ROOT, 'packages/agent'), join(copy, 'packages/agent'));
  cpSync(join(ROOT, 'packages/examples/socket.io'), join(copy, 'packages/examples/socket.io'), {
    recursive: true,
    filter: (path) => !path.endsWith('node_modules'),
  });
  const { code, output } = await installed(install, copy);
  if (REGISTRY_UNREACHABLE.test(output)) return t.skip('the npm registry is unreachable');
  assert.equal(code, 0, output);

  for (const command of commands.slice(0, 2)) site.startShell(command, copy).stderr!.resume();
  const nodes = await twoNodes(site);
  const client = site.startShell(`${commands[2]} http://127.0.0.1:${site.proxyPort}`, copy);
  client.stderr!.resume();
  const lines = createInterface({ input: client.stdout! })[Symbol.asyncIterator]();
  assert.equal(await next(lines), 'connected');
  let count = 0;
  const seen = async (): Promise<{ readonly node: string; readonly transport: string }> => {
    const [, node = '', number, transport = ''] =
      /^(\S+) has seen you (\d+) times by (\w+)$/.exec(await next(lines)) ?? [];
    assert.equal(Number(number), ++count);
    return { node, transport };
  };
  const first = await seen();
  const home = first.node;
  assert.ok(nodes.includes(home), home);
  for (let { transport } = first; transport !== 'websocket'; ) ({ transport } = await seen());
  assert.equal((await site.cli('drain', home, '--yes')).code, 0);
  await site.isCurrent();
  for (let i = 0; i < 4; i++) assert.deepEqual(await seen(), { node: home, transport: 'websocket' });
});

async function next(lines: AsyncIterator<string>): Promise<string> {
  const { value, done } = await lines.next();
  assert.ok(!done, 'the client has ended');
  return value;
}

async function installed(
  command: string,
  directory: string,
): Promise<{ readonly code: number; readonly output: string }> {
  const npm = spawn('sh', ['-c', `exec ${command} --no-audit --no-fund`], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [npm.stdout, npm.stderr])
    stream.on('data', (octets: Buffer) => {
      output += octets.toString();
    });
  const [code] = (await once(npm, 'close')) as [number];
  return { code, output };
}
