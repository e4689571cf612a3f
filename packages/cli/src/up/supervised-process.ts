/** One child that is started again whenever it dies, at once at first, then with growing pauses. */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process';
import type { ChildFailed, ChildMessage } from './process-options.ts';

/** A child that has lived this long is started again at once. */
const STEADY_MS = 5_000;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;

export interface SupervisedOptions {
  /** For people: `control`, `worker`. */
  readonly name: string;
  /** Module to run. */
  readonly entry: URL;
  readonly message: object;
  /** Goes along with the message. */
  readonly handle?: SendHandle;
  readonly onReady: (message: ChildMessage & { readonly type: 'ready' }) => void;
  readonly onFailed: (message: ChildFailed) => void;
  readonly say: (line: string) => void;
}

export class SupervisedProcess {
  readonly #options: SupervisedOptions;
  #child: ChildProcess | undefined;
  #startedMs = 0;
  #pauseMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(options: SupervisedOptions) {
    this.#options = options;
    this.#start();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  #start(): void {
    const { entry, message, handle, name } = this.#options;
    this.#startedMs = performance.now();
    // stdout stays ours: what children have to say is log.
    const child = fork(entry, [], { stdio: ['ignore', 2, 2, 'ipc'] });
    this.#child = child;
    child.on('message', (told: ChildMessage) => {
      if (told.type === 'ready') this.#options.onReady(told);
      else this.#options.onFailed(told);
    });
    child.on('error', (error) => this.#options.say(`${name} process: ${error.message}`));
    child.on('exit', (code, signal) => this.#onExit(code, signal));
    child.send(message, handle, {}, (error) => {
      if (error && !this.#isClosing) child.kill('SIGKILL');
    });
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    this.#child = undefined;
    if (this.#isClosing) return;
    const livedMs = performance.now() - this.#startedMs;
    this.#pauseMs = livedMs > STEADY_MS ? 0 : Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
    this.#options.say(`the ${this.#options.name} process ended (${signal ?? `exit ${code}`}); starting it again`);
    this.#timer = setTimeout(() => this.#start(), this.#pauseMs);
  }

  /** Asks the child to end, and kills it after `graceMs`. Resolves when it is gone. */
  close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child) return Promise.resolve();
    return new Promise((resolve) => {
      const killer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      child.once('exit', () => {
        clearTimeout(killer);
        resolve();
      });
      child.kill('SIGTERM');
    });
  }

  /** Ends it now. */
  kill(): void {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    this.#child?.kill('SIGKILL');
  }
}
