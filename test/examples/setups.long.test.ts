/** Examples that need a machine of their own: systemd units, Compose, a Seaside image. What can be checked of them is checked. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandsOf } from '../readme/commands.ts';
import { mistakesIn, rollcallWords, wordsOf } from '../readme/flags.ts';
import { ROLLCALL } from '../site/commands.ts';
import { Site } from '../site/site.ts';
import { noFlask, ROOT, startCommand, twoNodes } from './example.ts';

const EXAMPLES = join(ROOT, 'packages/examples');
const MAX_LINES = 40;
const TIMEOUT_MS = 180_000;
const noSystemd = existsSync('/usr/bin/systemd-analyze') ? false : 'apt-get install systemd';

const read = (path: string): string => readFileSync(join(EXAMPLES, path), 'utf8');
const folders = readdirSync(EXAMPLES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

test('each example has a short README with commands that can be, and is listed', async () => {
  assert.ok(folders.length >= 9, folders.join(', '));
  const list = read('README.md');
  for (const folder of folders) {
    const page = read(`${folder}/README.md`);
    assert.ok(page.trimEnd().split('\n').length <= MAX_LINES, `${folder}/README.md has more than ${MAX_LINES} lines`);
    assert.match(list, new RegExp(`\\(${folder.replace('.', '\\.')}/README\\.md\\)`));
    const shown = [...page.matchAll(/^[$#] (.*)$/gm)].map(([, text]) => text!);
    const commands = [...commandsOf(page).map(({ text }) => text), ...shown];
    assert.ok(commands.length > 0, `${folder}/README.md has no command`);
    for (const words of commands.map(rollcallWords)) if (words) assert.deepEqual(await mistakesIn(words), [], folder);
  }
});

test('the packages of the Node examples are the packages of the tests', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'test/package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  for (const folder of ['express', 'fastify']) {
    const { dependencies } = JSON.parse(read(`${folder}/package.json`)) as { dependencies: Record<string, string> };
    const { '@rollcall/agent': agent, ...others } = dependencies;
    assert.equal(agent, 'file:../../agent');
    for (const [name, version] of Object.entries(others)) assert.equal(version, devDependencies[name], name);
  }
});

/** The command of a unit, with `rollcall` without its path. */
function execStart(unit: string): string {
  const [, line = ''] = /^ExecStart=\/usr\/bin\/(rollcall .*)$/m.exec(unit) ?? [];
  assert.notEqual(line, '', 'a command');
  return line;
}

const UNITS = ['rollcall.service', 'rollcall-node@.service'];

test('the commands of the systemd units can be', async () => {
  for (const unit of UNITS) {
    const [, ...words] = wordsOf(execStart(read(`systemd/${unit}`)));
    assert.deepEqual(await mistakesIn(words), [], unit);
  }
});

test('the units of two nodes register with the join token of the coordinator, and end by SIGTERM as the unit expects', {
  timeout: TIMEOUT_MS,
  skip: noFlask(),
}, async (t) => {
  const [coordinator, node] = UNITS.map((unit) => read(`systemd/${unit}`)) as [string, string];
  const tokens = mkdtempSync(join(tmpdir(), 'rollcall-units-'));
  t.after(() => rmSync(tokens, { recursive: true, force: true }));
  const [, tokenFolder = ''] = /--token-dir (\S+)/.exec(coordinator) ?? [];
  assert.ok(node.includes(`ROLLCALL_JOIN_TOKEN_FILE=${tokenFolder}/join-token\n`));
  const site = await Site.start(t, { flags: ['--token-dir', tokens] });
  const instances = [1, 2].map((instance) =>
    startCommand(
      site,
      execStart(node)
        .replace('%l-%i', `host-${instance}`)
        .replace('/var/lib/shop', site.directory)
        .replace('/usr/bin/python3 /srv/shop', 'python3 packages/examples/flask'),
      { ROLLCALL_JOIN_TOKEN_FILE: join(tokens, 'join-token') },
    ),
  );
  assert.deepEqual(await twoNodes(site), ['host-1', 'host-2']);
  const [first] = instances;
  first!.kill('SIGTERM');
  const [code] = (await once(first!, 'exit')) as [number | null];
  const [, expected = ''] = /^SuccessExitStatus=(\d+)$/m.exec(node) ?? [];
  assert.equal(code, Number(expected));
  const nodes = await site.bareCli('nodes', '--coordinator', site.controlUrl);
  assert.deepEqual([nodes.code, nodes.stderr], [0, ''], 'a command that only reads needs no token');
});

test('systemd accepts the units', { skip: noSystemd }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-units-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  // systemd looks for the program, which is not installed on the machine of the test.
  for (const unit of UNITS)
    writeFileSync(join(folder, unit), read(`systemd/${unit}`).replaceAll('/usr/bin/rollcall', ROLLCALL));
  const files = [join(folder, 'rollcall.service'), join(folder, 'rollcall-node@1.service')];
  assert.equal(execFileSync('systemd-analyze', ['verify', '--man=no', ...files], { stdio: 'pipe' }).toString(), '');
});

test('the coordinator of the Compose example is that of the clone, without its build', () => {
  const own = read('compose/docker-compose.yml');
  const ours = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  const service = (text: string): string => /^ {2}rollcall:\n(?: {4}.*\n)*/m.exec(text)![0];
  assert.equal(service(own), service(ours).replace(/ {4}build:\n(?: {6}.*\n)*/, ''));
  const settings = (text: string): readonly string[] => /^ {2}(?:app|shop):\n(?: {4}.*\n)*/m.exec(text)![0].split('\n');
  const [program, app] = [settings(own), settings(ours)];
  const shared = ['HOST: "0.0.0.0"', 'ROLLCALL_JOIN_TOKEN_FILE: /run/rollcall/join-token', '- tokens:/run/rollcall:ro'];
  for (const text of shared)
    for (const lines of [program, app])
      assert.ok(
        lines.some((line) => line.trim() === text),
        text,
      );
});

test('the image of the Compose example runs a command that can be, with files that are there', async () => {
  const file = read('compose/Dockerfile');
  const list = (name: string): string[] =>
    JSON.parse(new RegExp(`^${name} (\\[.*\\])$`, 'm').exec(file)![1]!) as string[];
  const [program, ...words] = list('ENTRYPOINT');
  assert.equal(program, '/opt/rollcall/bin/rollcall');
  assert.deepEqual(await mistakesIn([...words, ...list('CMD')]), []);
  for (const [, source] of file.matchAll(/^COPY (\S+) \/srv/gm)) assert.ok(existsSync(join(EXAMPLES, source!)), source);
  const theirs = readFileSync(join(ROOT, 'packages/Dockerfile'), 'utf8');
  for (const line of file.match(/^(?:COPY --from=rollcall .*)$/gm) ?? []) assert.ok(theirs.includes(line), line);
});

test('the shell scripts are correct, and the Seaside script reads what rollcall run sets', () => {
  const scripts = folders.flatMap((folder) =>
    readdirSync(join(EXAMPLES, folder))
      .filter((name) => name.endsWith('.sh'))
      .map((name) => join(EXAMPLES, folder, name)),
  );
  assert.equal(scripts.length, 3);
  for (const script of scripts) execFileSync('sh', ['-n', script]);
  for (const name of ['PORT', 'ROLLCALL_ROUTE'])
    assert.ok(read('seaside/start.st').includes(`environment at: '${name}'`));
});
