/**
 * Runs the commands of a page in their order, by sh, in the workspace, with a home directory of their own:
 *
 * - a cluster (`npm start`, `rollcall demo`, `rollcall up`) is started and waited for. It ends when the next one starts or the page ends.
 * - a node (`rollcall run`, `rollcall join`) is started and waited for until the coordinator reports a new node as up, and all workers know it.
 * - any other command has to end by itself, with exit code 0.
 * - of commands that would run this test or set up the clone again, only the name of the npm script is checked.
 *
 * `console` and other blocks are not run: they show output, or commands that need something else than this machine.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { commandsOf, type PageCommand } from './commands.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CONTROL = 'http://127.0.0.1:8400';
const TIMEOUT_MS = 60_000;
const home = mkdtempSync(join(tmpdir(), 'rollcall-page-'));
const running: ChildProcess[] = [];

/** Runs all commands of the page at `path`, each as a test below `t`. Skips the page where its ports are in use. */
export async function runPage(t: TestContext, path: string): Promise<void> {
  const commands = commandsOf(readFileSync(join(ROOT, path), 'utf8'));
  assert.ok(commands.length > 0, `${path} has no command`);
  for (const port of [8080, 8400])
    if (!(await isFree(port)))
      return t.skip(`port ${port} is in use; the commands of ${path} need it: stop the program that listens there`);
  for (const command of commands)
    await t.test(`${path}:${command.line}: ${command.text}`, { timeout: TIMEOUT_MS }, () => obey(command));
  await endAll();
}

/** Ends all programs that pages have started, and removes their home directory. */
export async function closePages(): Promise<void> {
  await endAll();
  rmSync(home, { recursive: true, force: true });
}

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
      const before = new Set((await nodes()).map(nameOf));
      const isUp = async (): Promise<boolean> =>
        (await nodes()).some((node) => node.liveness === 'up' && !before.has(nameOf(node)));
      return until(start(text), async () => (await isUp()) && (await areWorkersCurrent()));
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

/** Resolves when the program is ready; rejects with its output if it ends before. */
async function until(child: ChildProcess, isReady: (output: string) => boolean | Promise<boolean>): Promise<void> {
  const output = collect(child);
  while (!(await isReady(output()))) {
    if (hasEnded(child)) assert.fail(`it ended before it was ready:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Node {
  readonly id: string;
  readonly incarnation: number;
  readonly liveness: string;
}

async function nodes(): Promise<readonly Node[]> {
  const response = await fetch(`${CONTROL}/v1/nodes`).catch(() => undefined);
  if (!response?.ok) return [];
  return ((await response.json()) as { nodes: readonly Node[] }).nodes;
}

/** True when all workers have the present nodes: a person takes longer to type the next command. */
async function areWorkersCurrent(): Promise<boolean> {
  const response = await fetch(`${CONTROL}/v1/status`);
  const { workers } = (await response.json()) as { workers: readonly { isCurrent: boolean }[] };
  return workers.length > 0 && workers.every(({ isCurrent }) => isCurrent);
}

/** Another name for each start of a node. */
function nameOf({ id, incarnation }: Node): string {
  return `${id} ${incarnation}`;
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
