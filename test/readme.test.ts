/**
 * What README.md tells its readers to type works. Each line of its ```sh blocks is a command; they are run in their
 * order, by sh, in the workspace, with a home directory of their own:
 *
 * - a cluster (`npm start`, `rollcall demo`, `rollcall up`) is started, waited for, and ends when the next one starts or
 *   the page is over;
 * - a node (`rollcall run`, `rollcall join`) is started and waited for until the coordinator says that it is up;
 * - anything else has to end by itself, with exit code 0;
 * - of commands that would run this very test or set up the clone again only the npm script's name is checked.
 *
 * ```console and other blocks show output, or commands with something to fill in, and are not run.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { commandsOf, type PageCommand } from './readme/commands.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CONTROL = 'http://127.0.0.1:8400';
const TIMEOUT_MS = 60_000;
const home = mkdtempSync(join(tmpdir(), 'rollcall-readme-'));
const running: ChildProcess[] = [];

after(async () => {
  await endAll();
  rmSync(home, { recursive: true, force: true });
});

test('commands are the lines of sh blocks, put together over line ends and told apart by what they do', () => {
  const page = [
    'text',
    '```sh',
    '# why',
    'npm start',
    'A=1 npx rollcall run \\',
    '  -- x',
    '```',
    '```console',
    '$ no',
    '```',
  ];
  assert.deepEqual(commandsOf(page.join('\n')), [
    { text: 'npm start', line: 4, kind: 'cluster' },
    { text: 'A=1 npx rollcall run -- x', line: 5, kind: 'node' },
  ]);
  const kindOf = (text: string): string | undefined => commandsOf(`\`\`\`sh\n${text}\n\`\`\``)[0]?.kind;
  assert.equal(kindOf('npm test'), 'elsewhere');
  assert.equal(kindOf('curl http://127.0.0.1:8080/'), 'once');
  assert.equal(kindOf('rollcall upgrade'), 'once');
});

test('every command of README.md works as it stands there', async (t) => {
  const commands = commandsOf(readFileSync(join(ROOT, 'README.md'), 'utf8'));
  assert.ok(
    commands.some(({ kind }) => kind === 'cluster'),
    'README.md tells how to start a cluster',
  );
  for (const port of [8080, 8400])
    if (!(await isFree(port)))
      return t.skip(`port ${port} is in use; README.md's commands need it: stop what listens there`);
  for (const command of commands)
    await t.test(`README.md:${command.line}: ${command.text}`, { timeout: TIMEOUT_MS }, () => obey(command));
});

async function obey({ text, kind }: PageCommand): Promise<void> {
  switch (kind) {
    case 'elsewhere': {
      const [, script] = /^npm (?:run )?([a-z:]+)/.exec(text) ?? [];
      const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
      if (script !== undefined) assert.ok(script in scripts, `there is no npm script ${script}`);
      return;
    }
    case 'cluster':
      await endAll();
      return until(start(text), (output) => /^(?:stop|add a program) /m.test(output));
    case 'node': {
      const before = await nodesUp();
      return until(start(text), async () => (await nodesUp()) > before);
    }
    case 'once': {
      const child = start(text);
      const output = collect(child);
      const code = await ended(child);
      assert.equal(code, 0, output());
      return;
    }
    default:
      return kind satisfies never;
  }
}

/** In a process group of its own, as a terminal would, so that all of it can be ended. */
function start(text: string): ChildProcess {
  const { ROLLCALL_URL: _, NODE_OPTIONS: __, ...environment } = process.env;
  const child = spawn('sh', ['-c', text], {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...environment,
      HOME: home,
      XDG_STATE_HOME: join(home, 'state'),
      PATH: `${join(ROOT, 'node_modules', '.bin')}${delimiter}${process.env['PATH']}`,
    },
  });
  running.push(child);
  return child;
}

function collect(child: ChildProcess): () => string {
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => {
      output += data.toString();
    });
  return () => output;
}

/** Resolves when the program is ready; rejects with what it said when it ends before. */
async function until(child: ChildProcess, isReady: (output: string) => boolean | Promise<boolean>): Promise<void> {
  const output = collect(child);
  while (!(await isReady(output()))) {
    if (hasEnded(child)) assert.fail(`it ended before it was ready:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function nodesUp(): Promise<number> {
  const response = await fetch(`${CONTROL}/v1/nodes`).catch(() => undefined);
  if (!response?.ok) return 0;
  const { nodes } = (await response.json()) as { nodes: readonly { liveness: string }[] };
  return nodes.filter(({ liveness }) => liveness === 'up').length;
}

/** Ctrl-C for everything that still runs, the last started first. */
async function endAll(): Promise<void> {
  for (const child of running.splice(0).reverse()) {
    if (hasEnded(child)) continue;
    const end = ended(child);
    process.kill(-child.pid!, 'SIGINT');
    await end;
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function ended(child: ChildProcess): Promise<number | null> {
  if (hasEnded(child)) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host: '127.0.0.1', port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
