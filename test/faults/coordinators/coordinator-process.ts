/** One `rollcall up` of a drill: its processes, their signals, and its admin API. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { freePorts } from '@rollcall/core/testing';
import { nowMs } from '../../live-cluster/instant.ts';
import { until } from '../orders.ts';
import { childrenOf, hasEnded, scriptOf, signal } from '../processes.ts';

export interface CoordinatorOptions {
  /** Root of the built product with which it starts first. */
  readonly root: string;
  readonly dir: string;
  readonly name: string;
  readonly proxyPort: number;
  readonly controlPort: number;
  readonly store: string;
  readonly environment: NodeJS.ProcessEnv;
}

export const ADMIN_TOKEN = 'admin-token-of-the-coordinator-drills';
/** Time limit of a request to the admin API. */
const API_MS = 10_000;
/** Time in which the ends of connections of a killed machine reach its clients, also when they are busy. */
const ENDS_ARRIVE_MS = 100;
/** Longest wait for the end of a process whose start must be refused. */
const REFUSAL_MS = 30_000;

export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** When all processes of a coordinator were killed: from the first signal until their sockets were closed. */
export interface Kill {
  readonly beganMs: number;
  readonly inForceMs: number;
}

export class CoordinatorProcess {
  readonly name: string;
  readonly proxyPort: number;
  readonly kills: Kill[] = [];
  readonly #options: CoordinatorOptions;
  /** Root of the built product with which it starts next. */
  #root: string;
  #child: ChildProcess | undefined;
  #controlScript = '';
  /** Processes of the tree when it was stopped. */
  #stopped: readonly number[] = [];

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    this.#root = options.root;
    this.name = options.name;
    this.proxyPort = options.proxyPort;
  }

  /** Resolves when it serves. `root`: starts with this built product from now on. Default: with that of the last start. */
  async start(root: string = this.#root): Promise<void> {
    const { dir, name, proxyPort, controlPort } = this.#options;
    this.#root = root;
    const child = this.#spawn({ proxyPort, controlPort, log: join(dir, `${name}.log`) });
    this.#child = child;
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`coordinator ${name} ended with ${code} before it served`);
    });
    const line = once(createInterface({ input: child.stdout! }), 'line') as Promise<[string]>;
    const [text] = await Promise.race([line, ended]);
    ended.catch(() => undefined);
    const ready = JSON.parse(text) as { pids: { control: number } };
    this.#controlScript = scriptOf(ready.pids.control);
    if (!this.#controlScript.startsWith(realpathSync(root)))
      throw new Error(`coordinator ${name} runs ${this.#controlScript}, which is not in ${root}`);
  }

  /**
   * Starts a second process with the same state directory and name, at other ports. Resolves with what it has logged when it has ended, and
   * with `undefined` when it serves.
   */
  async startSecond(): Promise<string | undefined> {
    const { dir, name } = this.#options;
    const [proxyPort, controlPort] = (await freePorts(2)) as [number, number];
    const log = join(dir, `${name}-second.log`);
    const child = this.#spawn({ proxyPort, controlPort, log });
    const timer = setTimeout(() => child.kill('SIGTERM'), REFUSAL_MS);
    const serves = once(child.stdout!, 'data').then(() => true);
    const isServing = await Promise.race([serves, once(child, 'exit').then(() => false)]);
    clearTimeout(timer);
    if (!isServing) return readFileSync(log, 'utf8');
    child.kill('SIGTERM');
    await once(child, 'exit');
    return undefined;
  }

  #spawn({ proxyPort, controlPort, log }: { proxyPort: number; controlPort: number; log: string }): ChildProcess {
    const { dir, name, store, environment } = this.#options;
    const flags = ['--proxy', `127.0.0.1:${proxyPort}`, '--control', `127.0.0.1:${controlPort}`, '--store', store];
    const own = ['--name', name, '--state-dir', join(dir, `state-${name}`), '--json', '--log-level', 'info'];
    return spawn(process.execPath, [join(this.#root, 'packages/cli/bin/rollcall.js'), 'up', ...flags, ...own], {
      stdio: ['ignore', 'pipe', openSync(log, 'a')],
      env: environment,
    });
  }

  /** What it has logged. */
  log(): string {
    return readFileSync(join(this.#options.dir, `${this.name}.log`), 'utf8');
  }

  /** Sends a signal to the control process that runs now, and returns its process id. */
  signalControl(name: NodeJS.Signals): number {
    const found = this.#controlPid();
    if (found === undefined) throw new Error(`coordinator ${this.name} has no control process to get ${name}`);
    signal(found, name);
    return found;
  }

  /** Resolves when the admin API answers, by another control process than `pid`. */
  async replaced(pid: number): Promise<void> {
    await until(
      () => this.#controlPid() !== undefined && this.#controlPid() !== pid,
      `${this.name} to replace its control process`,
    );
    await this.answers();
  }

  async answers(): Promise<void> {
    await until(
      () =>
        this.api('GET', '/v1/status', undefined, 1_000).then(
          ({ status }) => status === 200,
          () => false,
        ),
      `the admin API of ${this.name}`,
    );
  }

  /** Stops all its processes by SIGSTOP. */
  freezeTree(): void {
    this.#stopped = this.#tree();
    for (const pid of this.#stopped) signal(pid, 'SIGSTOP');
  }

  thawTree(): void {
    for (const pid of [...this.#stopped].reverse()) signal(pid, 'SIGCONT');
  }

  /** Kills all its processes. Resolves when their sockets are closed. */
  async killTree(): Promise<void> {
    const all = this.#tree();
    const beganMs = nowMs();
    // The supervisor first: it would start others.
    for (const pid of all) signal(pid, 'SIGKILL');
    await until(() => all.every(hasEnded), `the processes of ${this.name} to end`);
    await pause(ENDS_ARRIVE_MS);
    this.kills.push({ beganMs, inForceMs: nowMs() });
  }

  /** Ends it in order, as a service manager does. */
  async stop(): Promise<void> {
    const ended = once(this.#child!, 'exit');
    this.#child!.kill('SIGTERM');
    await ended;
  }

  /** Rejects without an answer. */
  async api(method: string, path: string, body?: object, withinMs: number = API_MS): Promise<ApiAnswer> {
    const response = await fetch(`http://127.0.0.1:${this.#options.controlPort}${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(withinMs),
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  }

  #controlPid(): number | undefined {
    return childrenOf(this.#child!.pid!).find((pid) => scriptOf(pid) === this.#controlScript);
  }

  #tree(): number[] {
    const found = [this.#child!.pid!];
    for (const pid of found) found.push(...childrenOf(pid));
    return found;
  }
}
