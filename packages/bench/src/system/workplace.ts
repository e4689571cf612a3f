/** The temporary directory and all processes of one benchmark. `close` removes them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BenchError } from '../bench-error.ts';
import { isStillThere, readTree } from './process-tree.ts';

/** Time limit for a process to exit after SIGTERM, milliseconds. */
const END_MS = 5_000;
const LOOK_AGAIN_MS = 20;
/** Number of characters of a log in an error message. */
const QUOTED = 1_500;

export interface StartOptions {
  /** CPUs of the process; empty: any. */
  readonly cpus: readonly number[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** Whether the process gets an IPC channel. */
  readonly hasChannel?: boolean;
}

/** A process of the benchmark in its own process group, so that Ctrl-C signals only the benchmark, which ends the process. */
export interface Running {
  readonly name: string;
  readonly child: ChildProcess;
  readonly pid: number;
  /** Resolves with a sentence when the process has exited. */
  readonly ended: Promise<string>;
  hasEnded: boolean;
  /** The end of its output. */
  log(): string;
}

export class Workplace {
  readonly directory: string;
  /** Aborted when the benchmark ends early, with the reason. */
  readonly signal: AbortSignal;
  readonly #running = new Set<Running>();
  #started = 0;

  constructor(signal: AbortSignal) {
    this.signal = signal;
    this.directory = mkdtempSync(join(tmpdir(), 'rollcall-bench-'));
    // Servers that drop root privileges read their files as another user.
    chmodSync(this.directory, 0o755);
  }

  /** A path in the temporary directory. */
  path(name: string): string {
    return join(this.directory, name);
  }

  /** Starts a program with its output in a log file. Rejects if the program does not exist. */
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

  /** Ends a process and its descendants, with SIGTERM first, then with SIGKILL. A repeated call has no effect. */
  async end(running: Running): Promise<void> {
    if (!this.#running.delete(running)) return;
    // Only this list finds descendants that have left the group or lost their parent.
    const tree = readTree(running.pid);
    signalProcess(running.pid, 'SIGTERM');
    const untilMs = performance.now() + END_MS;
    while (!running.hasEnded && performance.now() < untilMs) await Promise.race([running.ended, sleep(LOOK_AGAIN_MS)]);
    signalProcess(-running.pid, 'SIGKILL');
    for (const stat of tree) if (isStillThere(stat)) signalProcess(stat.pid, 'SIGKILL');
    await Promise.race([running.ended, sleep(END_MS)]);
  }

  /** Ends all processes and removes the directory. */
  async close(): Promise<void> {
    await Promise.all([...this.#running].map((running) => this.end(running)));
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Kills all processes at once. */
  kill(): void {
    for (const { pid } of this.#running) signalProcess(-pid, 'SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Resolves when `isSo` returns true. Rejects if the process has exited, or after `patienceMs`. */
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

  /** Waits; rejects if the benchmark is aborted. */
  async sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.signal }).catch(() => this.signal.throwIfAborted());
  }
}

/** Sends a signal. A negative pid is a process group. An absent process is ignored. */
function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // The process has exited already.
  }
}
