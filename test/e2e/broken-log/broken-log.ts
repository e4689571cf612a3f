/** A real site of `up --static`, `run` and `join` whose logs cannot be written, under traffic. For tests. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { StatusResource } from '@rollcall/protocol';
import { ROLLCALL } from '../../site/commands.ts';
import { until } from '../../site/site.ts';
import { Visitor } from '../../site/visitor.ts';

const BROKEN_LOG = fileURLToPath(new URL('./broken_log.py', import.meta.url));
/** A node that writes nothing and ends with 7 on SIGTERM. */
const PROGRAM = `require('node:http').createServer((_, r) => r.end('app')).listen(+process.argv[1], '127.0.0.1');
process.on('SIGTERM', () => process.exit(7))`;
/** With room again, more than traffic fills before each process has tried again, a second later. */
const DISK_BYTES = 67_108_864;
const LONG_QUERY = 'x'.repeat(4_000);
/** Longest orderly end of `up` here, milliseconds; children that hang are killed after 12 s. */
const END_MS = 8_000;

/** Logs that nothing can be written to, by what `broken_log.py` calls them. */
export const KINDS = [
  'full-device',
  'closed-pipe',
  'stopped-pipe',
  'closed-socket',
  'stopped-socket',
  'closed-terminal',
  'stopped-terminal',
] as const;

/** Reason why these tests cannot run here; `false` if they can. */
export const lacksPython: string | false =
  spawnSync('python3', ['--version']).status === 0 ? false : 'python3 is missing: apt-get install python3';

const UNSHARE = ['--mount', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'])];

/** Reason why a file system cannot be mounted here; `false` if it can. */
export const lacksMounts: string | false =
  lacksPython ||
  (spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status === 0
    ? false
    : 'no mount namespaces here');

interface Process {
  readonly child: ChildProcess;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

export interface BrokenLogOptions {
  readonly flags?: readonly string[];
  /** Fate of the reader of standard output after the ready line. Default: it continues to read. */
  readonly output?: 'read' | 'stopped' | 'closed';
}

export class BrokenLogSite {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'rollcall-broken-log-'));
  readonly #wrap: (words: readonly string[]) => readonly string[];
  readonly #children = new Set<ChildProcess>();
  readonly #joined: Server = createServer((_, response) => response.end('joined'));
  #up: Process | undefined;
  #upPid = 0;
  #controlUrl = '';
  #proxyPort = 0;
  #run: Process | undefined;
  #join: Process | undefined;
  readonly #failures: string[] = [];
  #answers = 0;
  #traffic: Promise<void> = Promise.resolve();
  #isOver = false;

  private constructor(wrap: (words: readonly string[], site: BrokenLogSite) => readonly string[]) {
    this.#wrap = (words) => wrap(words, this);
  }

  /** Every process writes its log to `kind`. */
  static async start(t: TestContext, kind: string, options: BrokenLogOptions = {}): Promise<BrokenLogSite> {
    const site = new BrokenLogSite((words) => ['python3', BROKEN_LOG, kind, '2', ...words]);
    t.after(() => site.#close());
    await site.#start(options);
    return site;
  }

  /** Every process writes its log, and the workers their access log, to a file on a file system that is full. */
  static async onFullDisk(t: TestContext): Promise<BrokenLogSite> {
    const site = new BrokenLogSite((words, { disk }) => {
      const script = `mount -t tmpfs -o size=${DISK_BYTES} none ${disk} && head -c ${DISK_BYTES} /dev/zero >${disk}/filling; : >${disk}/log; exec "$@"`;
      return ['unshare', ...UNSHARE, 'sh', '-c', script, 'sh', 'python3', BROKEN_LOG, `${disk}/log`, '2', ...words];
    });
    t.after(() => site.#close());
    mkdirSync(site.disk);
    await site.#start({ flags: ['--access-log', join(site.disk, 'access.log')] });
    return site;
  }

  /** Mount point of the full file system. */
  get disk(): string {
    return join(this.directory, 'disk');
  }

  async #start({ flags = [], output = 'read' }: BrokenLogOptions): Promise<void> {
    const files = join(this.directory, 'files');
    mkdirSync(files);
    writeFileSync(join(files, 'index.html'), 'static');
    const ports = ['--proxy', '127.0.0.1:0', '--control', '127.0.0.1:0', '--state-dir', join(this.directory, 'state')];
    this.#up = this.#spawn(['up', ...ports, '--static', `/=${files}`, '--log-level', 'trace', '--json', ...flags]);
    const { stdout } = this.#up.child;
    const ready = JSON.parse(await firstLine(this.#up)) as {
      proxyUrl: string;
      controlUrl: string;
      pids: { supervisor: number };
    };
    if (output === 'stopped') stdout!.pause();
    else if (output === 'closed') stdout!.destroy();
    this.#upPid = ready.pids.supervisor;
    this.#controlUrl = ready.controlUrl;
    this.#proxyPort = Number(new URL(ready.proxyUrl).port);
    this.#joined.listen(0, '127.0.0.1');
    await once(this.#joined, 'listening');
    const { port } = this.#joined.address() as AddressInfo;
    const node = (balancer: string): string[] => [
      ...['--coordinator', this.#controlUrl, '--id', balancer, '--balancer', balancer, '--context', `/${balancer}`],
    ];
    this.#join = this.#spawn(['join', `http://127.0.0.1:${port}`, ...node('joined')]);
    this.#run = this.#spawn(['run', ...node('app'), '--', process.execPath, '-e', PROGRAM, '{port}']);
    for (const [path, body] of PATHS)
      await until(async () => (await this.#get(path)).body === body, `${path} is not served`);
    this.#traffic = this.#visit();
  }

  #spawn(words: readonly string[]): Process {
    const [program, ...more] = this.#wrap([process.execPath, ROLLCALL, ...words]);
    const child = spawn(program!, more, {
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, XDG_STATE_HOME: this.directory },
    });
    this.#children.add(child);
    const ended = once(child, 'exit').then(([code, signal]) => (signal ?? code) as number | string);
    void ended.then(() => this.#children.delete(child));
    return { child, ended };
  }

  #get(path: string): ReturnType<Visitor['get']> {
    // Long lines fill what is between the access log and a reader that has stopped.
    return new Visitor(this.#proxyPort).get(`${path}?${LONG_QUERY}`, { timeoutMs: 5_000 });
  }

  async #visit(): Promise<void> {
    for (let i = 0; !this.#isOver; i++) {
      const [path, body] = PATHS[i % PATHS.length]!;
      const answer = await this.#get(path).catch((error: Error) => error);
      if (answer instanceof Error) this.#failures.push(`${path}: ${answer.message}`);
      else if (answer.body !== body) this.#failures.push(`${path}: ${answer.status} ${answer.body}`);
      this.#answers += 1;
    }
  }

  async status(): Promise<StatusResource> {
    return (await (await fetch(`${this.#controlUrl}/v1/status`)).json()) as StatusResource;
  }

  async metrics(): Promise<string> {
    const answer = await fetch(`${this.#controlUrl}/metrics`, { headers: this.#credentials() });
    if (!answer.ok) throw new Error(`/metrics answered with ${answer.status}`);
    return answer.text();
  }

  #credentials(): Record<string, string> {
    const token = readFileSync(join(this.directory, 'state', 'admin-token'), 'utf8').trim();
    return { authorization: `Bearer ${token}` };
  }

  /** Has the control process log: refusals, a node that comes and goes. */
  async makeNoise(): Promise<void> {
    const headers = { ...this.#credentials(), 'content-type': 'application/json' };
    for (let i = 0; i < 10; i++)
      for (const verb of ['drain', 'enable']) {
        const response = await fetch(`${this.#controlUrl}/v1/nodes/static/${verb}`, {
          method: 'POST',
          headers,
          body: '{"force":true}',
        });
        assert.equal(response.status, 200);
      }
  }

  /** Signals, probes and the end of all processes, as with a working log. Fails if there is a difference. */
  async serveAndEnd(): Promise<void> {
    await this.makeNoise();
    const livez = await fetch(`${this.#controlUrl}/livez`, { signal: AbortSignal.timeout(2_000) });
    assert.equal(livez.status, 200);
    process.kill(this.#upPid, 'SIGHUP');
    await until(
      async () => (await this.status()).workers.some(({ worker, isCurrent }) => worker === 'local-0-1' && isCurrent),
      'SIGHUP starts no worker',
    );
    const served = this.#answers;
    await until(() => this.#answers > served + 100, 'no traffic');
    this.#isOver = true;
    await this.#traffic;
    assert.deepEqual(this.#failures, []);
    for (const [name, process, code] of [
      ['run', this.#run!, 7],
      ['join', this.#join!, 0],
    ] as const)
      assert.equal(await endedBy(process, name), code, `exit code of ${name}`);
    const pids = descendantsOf(this.#upPid);
    assert.ok(pids.length >= 3, `${pids.length} children of up`);
    assert.equal(await endedBy(this.#up!, 'up', this.#upPid), 0, 'exit code of up');
    assert.deepEqual(pids.filter(isAlive), []);
  }

  /** The file system has room again. */
  makeRoom(): void {
    truncateSync(this.#onDisk('filling'), 0);
  }

  /** Content of a file on the full file system, as `up` and its children see it. */
  read(file: 'log' | 'access.log'): string {
    return readFileSync(this.#onDisk(file), 'utf8');
  }

  #onDisk(file: string): string {
    return `/proc/${this.#upPid}/root${this.directory}/disk/${file}`;
  }

  async #close(): Promise<void> {
    this.#isOver = true;
    this.#joined.close();
    this.#joined.closeAllConnections();
    const left = [...this.#children];
    const below = left.flatMap(({ pid }) => descendantsOf(pid!));
    for (const child of left) child.kill('SIGKILL');
    for (const pid of below.filter(isAlive)) process.kill(pid, 'SIGKILL');
    await Promise.all(left.map((child) => child.exitCode ?? child.signalCode ?? once(child, 'exit')));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const PATHS = [
  ['/', 'static'],
  ['/app', 'app'],
  ['/joined', 'joined'],
] as const;

async function endedBy(
  { child, ended }: Process,
  name: string,
  pid: number = child.pid!,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<number | string> {
  process.kill(pid, signal);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`${name} has not ended after ${END_MS} ms`), END_MS);
  });
  return await Promise.race([ended, late]).finally(() => clearTimeout(timer));
}

async function firstLine({ child, ended }: Process): Promise<string> {
  let text = '';
  const line = new Promise<string>((resolve) => {
    const take = (octets: Buffer): void => {
      text += octets.toString();
      if (!text.includes('\n')) return;
      child.stdout!.off('data', take);
      resolve(text.slice(0, text.indexOf('\n')));
    };
    child.stdout!.on('data', take);
  });
  const failed = ended.then((code) => assert.fail(`up ended with ${code} before it served`));
  failed.catch(() => {});
  return await Promise.race([line, failed]).finally(() => child.stdout!.resume());
}

/** Pids of all processes below `pid`. */
export function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || !existsSync(`/proc/${name}/stat`)) continue;
    const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]));
  }
  const found = [pid];
  for (const parent of found) for (const [child, of] of parents) if (of === parent) found.push(child);
  return found.slice(1);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Starts `up` or a wrapper on a terminal of its own and closes that: resolves with the exit code and what is left. */
export async function closeTerminal(
  t: TestContext,
  words: (directory: string) => readonly string[],
  isReady: RegExp,
): Promise<{ readonly code: number | string; readonly left: readonly number[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-terminal-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const child = spawn(
    'python3',
    [BROKEN_LOG, 'lost-terminal', '012', process.execPath, ROLLCALL, ...words(directory)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, XDG_STATE_HOME: directory },
    },
  );
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit').then(([code, signal]) => (signal ?? code) as number | string);
  let text = '';
  child.stdout.on('data', (octets: Buffer) => {
    text += octets.toString();
  });
  await until(() => isReady.test(text), 'it is not ready');
  const below = descendantsOf(child.pid!);
  t.after(() => {
    for (const pid of below.filter(isAlive)) process.kill(pid, 'SIGKILL');
  });
  const code = await endedBy({ child, ended }, 'it', child.pid!, 'SIGUSR1');
  return { code, left: below.filter(isAlive) };
}
