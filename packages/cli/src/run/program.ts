/** The wrapped program: started in its own process group, and ended together with all its descendants. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { Guard } from './guard.ts';
import { processTree, readProcess } from './process-table.ts';
import { startFailure } from './start-failure.ts';

/** Outcome of a program. */
export interface ProgramEnd {
  /** Its exit code; 128 + n if signal n ended it; 127 not found, 126 not executable, as in shells. */
  readonly exitCode: number;
  /** Reason why it could not be started. */
  readonly problem?: string;
}

/** Values of `{port}`, `{route}` and `{id}` in a command. */
export interface Placeholders {
  readonly port: number;
  readonly route: string;
  readonly id: string;
}

/** Poll interval of a process group that is ending, in milliseconds. */
const LOOK_MS = 50;
/** Time for remaining processes of a program that died by itself, in milliseconds. */
const LEFTOVER_GRACE_MS = 2_000;

/** `command` with `{port}`, `{route}` and `{id}` filled in. Other braces stay. */
export function filledIn(command: readonly string[], values: Placeholders): readonly string[] {
  return command.map((word) =>
    word.replace(/\{(port|route|id)\}/g, (_, name: keyof Placeholders) => String(values[name])),
  );
}

export class Program {
  readonly #child: ChildProcess | undefined;
  readonly #guard = new Guard();
  /** Resolves when the program's first process has ended; others of its group may still run. Never rejects. */
  readonly ended: Promise<ProgramEnd>;
  #hasEnded = false;

  /** Starts it at once. It inherits standard input, output and error. */
  constructor(command: readonly string[], environment: NodeJS.ProcessEnv) {
    const [file = '', ...words] = command;
    const failed = (error: unknown): ProgramEnd => {
      this.#hasEnded = true;
      return startFailure(file, error as NodeJS.ErrnoException, environment['PATH']);
    };
    try {
      this.#child = spawn(file, words, { env: environment, stdio: 'inherit', detached: true });
    } catch (error) {
      // Node throws some system errors, like E2BIG and ENOMEM, and emits others.
      this.ended = Promise.resolve(failed(error));
      return;
    }
    const child = this.#child;
    if (child.pid !== undefined) this.#guard.watch(child.pid);
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        if (child.pid === undefined) resolve(failed(error));
      });
      child.once('exit', (code, signal) => {
        this.#hasEnded = true;
        resolve({ exitCode: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) });
      });
    });
  }

  /** Pid of the first process, which is also the id of its group and session; `undefined` when it did not start. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Sends `signal` to the whole group; false if the group is empty. */
  signal(signal: NodeJS.Signals | 0): boolean {
    if (this.pid === undefined) return false;
    try {
      process.kill(-this.pid, signal);
      return true;
    } catch {
      return false;
    }
  }

  /** Sends SIGTERM to the group, and SIGKILL after `graceMs`. Resolves when the group is empty. */
  async end(graceMs: number = LEFTOVER_GRACE_MS): Promise<void> {
    await this.#endGroup(graceMs);
    await this.#guard.dismiss();
  }

  async #endGroup(graceMs: number): Promise<void> {
    if (!this.signal('SIGTERM')) return;
    const isGone = await this.#isGoneWithin(graceMs);
    if (!isGone && this.signal('SIGKILL')) await this.#isGoneWithin(LEFTOVER_GRACE_MS);
  }

  async #isGoneWithin(limitMs: number): Promise<boolean> {
    for (let leftMs = limitMs; leftMs > 0; leftMs -= LOOK_MS) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      if (!this.signal(0) || this.#isCorpse()) return true;
    }
    return false;
  }

  /** Only zombies are left in the group, permanently so in a container without an init. */
  #isCorpse(): boolean {
    return readProcess(process.pid) !== undefined && processTree(this.pid ?? 0).length === 0;
  }
}
