/** The temporary directory and all processes of one bench; nothing of either is left when it is closed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BenchError } from '../bench-error.ts';
import { isStillThere, readTree } from './process-tree.ts';

/** How long a process may take to end in order, milliseconds. */
const END_MS = 5_000;
const LOOK_AGAIN_MS = 20;
/** Characters of a log that an error quotes. */
const QUOTED = 1_500;

export interface StartOptions {
  /** CPUs it may run on; empty: any. */
  readonly cpus: readonly number[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** It gets a channel to us. */
  readonly hasChannel?: boolean;
}

/** A process of ours, in a group of its own so that a Ctrl-C at the terminal reaches only us, who end it in order. */
export interface Running {
  readonly name: string;
  readonly child: ChildProcess;
  readonly pid: number;
  /** Resolves with a sentence when it has ended, however it did. */
  readonly ended: Promise<string>;
  hasEnded: boolean;
  /** The end of what it has written. */
  log(): string;
}

export class Workplace {
  readonly directory: string;
  /** Aborted when the bench is to end early; its reason says why. */
  readonly signal: AbortSignal;
  readonly #running = new Set<Running>();
  #started = 0;

  constructor(signal: AbortSignal) {
    this.signal = signal;
    this.directory = mkdtempSync(join(tmpdir(), 'rollcall-bench-'));
    // Servers that give up root read their files as somebody else.
    chmodSync(this.directory, 0o755);
  }

  /** A path in the temporary directory. */
  path(name: string): string {
    return join(this.directory, name);
  }

  /** Starts a program; what it writes goes to a log of its own. Rejects when there is no such program. */
  async start(name: string, command: readonly string[], options: StartOptions): Promise<Running> {
    this.signal.throwIfAborted();
    const { cpus, environment = {}, directory = this.directory, hasChannel = false } = options;
    const [program, ...args] = cpus.length > 0 ? ['taskset', '-c', cpus.join(','), ...command] : command;
    const logFile = this.path(`${name.replaceAll(/[^\w.-]/g, '_')}-${this.#started++}.log`);
    const log = openSync(logFile, 'w');
    const child = spawn(program!, args, {
      cwd: directory,
      env: { ...process.env, ...environment },
      stdio: hasChannel ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new BenchError(`${name} cannot be started: ${error.message}`)));
    });
    const running: Running = {
      name,
      child,
      pid: child.pid!,
      ended: new Promise((resolve) =>
        child.once('exit', (code, signal) => resolve(`${name} ended with ${signal ?? `code ${code}`}`)),
      ),
      hasEnded: false,
      log: () => readFileSync(logFile, 'utf8').slice(-QUOTED).trim(),
    };
    this.#running.add(running);
    void running.ended.then(() => {
      running.hasEnded = true;
    });
    return running;
  }

  /** Ends a process with all below it: in order if it can, by force after that. Repeating it does nothing. */
  async end(running: Running): Promise<void> {
    if (!this.#running.delete(running)) return;
    // Who has left the group, or lost its parent, is found by this list alone.
    const tree = readTree(running.pid);
    signalProcess(running.pid, 'SIGTERM');
    const untilMs = performance.now() + END_MS;
    while (!running.hasEnded && performance.now() < untilMs) await Promise.race([running.ended, sleep(LOOK_AGAIN_MS)]);
    signalProcess(-running.pid, 'SIGKILL');
    for (const stat of tree) if (isStillThere(stat)) signalProcess(stat.pid, 'SIGKILL');
    await Promise.race([running.ended, sleep(END_MS)]);
  }

  /** Ends all that runs and removes the directory. */
  async close(): Promise<void> {
    await Promise.all([...this.#running].map((running) => this.end(running)));
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Ends all that runs at once and by force. */
  kill(): void {
    for (const { pid } of this.#running) signalProcess(-pid, 'SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Resolves when `isSo`. Rejects when the process has ended or it takes longer than `patienceMs`. */
  async until(isSo: () => Promise<boolean>, running: Running, what: string, patienceMs: number): Promise<void> {
    const untilMs = performance.now() + patienceMs;
    while (!(await isSo())) {
      this.signal.throwIfAborted();
      if (running.hasEnded)
        throw new BenchError(`${await running.ended}${running.log() && `; it wrote:\n${running.log()}`}`);
      if (performance.now() > untilMs)
        throw new BenchError(`${running.name}: ${what} within ${patienceMs / 1_000} s; it wrote:\n${running.log()}`);
      await sleep(LOOK_AGAIN_MS);
    }
  }

  /** Waits, or rejects as soon as the bench is to end. */
  async sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.signal }).catch(() => this.signal.throwIfAborted());
  }
}

/** A negative pid is a group. One that is gone is no error. */
function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}
