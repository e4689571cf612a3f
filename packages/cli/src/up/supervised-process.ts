/** One child that is started again whenever it dies, at once at first, then with growing pauses. */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process';
import type { Socket } from 'node:net';
import { nodeFlags } from '../processes/node-flags.ts';
import type { NativeHandle } from './bound-socket.ts';
import type { ChildFailed, ChildMessage, ToChild } from './process-options.ts';

/** A child that has lived this long is started again at once. */
const STEADY_MS = 5_000;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;
/** What a retiring child gets beyond its grace to end, milliseconds. */
const RETIRE_MARGIN_MS = 5_000;

export interface SupervisedOptions {
  /** For people: `control`, `worker`. */
  readonly name: string;
  /** Module to run. */
  readonly entry: URL;
  readonly message: object;
  /** Go along with the message, each in one of its own. */
  readonly handles?: readonly NativeHandle[];
  /** Its standard output is ours; else what it has to say there is log. */
  readonly sharesStdout?: boolean;
  readonly onReady: (message: ChildMessage & { readonly type: 'ready' }) => void;
  readonly onFailed: (message: ChildFailed) => void;
  /** It asks for a reload. */
  readonly onReloadWanted?: () => void;
  readonly say: (line: string) => void;
}

export class SupervisedProcess {
  readonly #options: SupervisedOptions;
  #child: ChildProcess | undefined;
  #startedMs = 0;
  #pauseMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosing = false;
  #isReady = false;
  /** Connections on their way to it, by number. */
  readonly #handed = new Map<number, { readonly socket: Socket; readonly onLost: () => void }>();
  #nextNumber = 0;

  constructor(options: SupervisedOptions) {
    this.#options = options;
    this.#start();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** It serves, and has not been asked to end. */
  get isReady(): boolean {
    return this.#isReady && !this.#isClosing;
  }

  #start(): void {
    const { entry, message, handles = [], name, sharesStdout } = this.#options;
    const isAgain = this.#startedMs > 0;
    this.#startedMs = performance.now();
    const execArgv = nodeFlags(process.execArgv);
    const child = fork(entry, [], { execArgv, stdio: ['ignore', sharesStdout ? 1 : 2, 2, 'ipc'] });
    this.#child = child;
    child.on('message', (told: ChildMessage) => {
      if (told.type === 'ready') {
        this.#isReady = true;
        this.#options.onReady(told);
      } else if (told.type === 'failed') this.#options.onFailed(told);
      else if (told.type === 'taken') this.#onTaken(told.number);
      else this.#options.onReloadWanted?.();
    });
    child.on('error', (error) => this.#options.say(`${name} process: ${error.message}`));
    child.on('exit', (code, signal) => this.#onExit(code, signal));
    const onSent = (error: Error | null): void => {
      if (error && !this.#isClosing) child.kill('SIGKILL');
    };
    child.send({ type: 'start', options: message, handles: handles.length, isAgain } satisfies ToChild, onSent);
    // Node's typings know net.Server and net.Socket; the bare handle is what those are sent as.
    for (const handle of handles)
      child.send({ type: 'handle' } satisfies ToChild, handle as unknown as SendHandle, {}, onSent);
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    this.#child = undefined;
    this.#isReady = false;
    const handed = [...this.#handed.values()];
    this.#handed.clear();
    for (const { onLost } of handed) onLost();
    if (this.#isClosing) return;
    const livedMs = performance.now() - this.#startedMs;
    this.#pauseMs = livedMs > STEADY_MS ? 0 : Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
    this.#options.say(`the ${this.#options.name} process ended (${signal ?? `exit ${code}`}); starting it again`);
    this.#timer = setTimeout(() => this.#start(), this.#pauseMs);
  }

  /** Sends a message; a child that is just not there misses it. */
  tell(message: ToChild): void {
    this.#child?.send(message, () => undefined);
  }

  /** Hands a connection over. `onLost` when the child ends without having taken it. */
  hand(socket: Socket, isTls: boolean, onLost: () => void): void {
    const number = this.#nextNumber++;
    this.#handed.set(number, { socket, onLost });
    // Ours is kept until the child has said that it has its own: it could die with the connection on its way.
    this.#child?.send(
      { type: 'connection', number, isTls } satisfies ToChild,
      socket,
      { keepOpen: true },
      () => undefined,
    );
  }

  #onTaken(number: number): void {
    this.#handed.get(number)?.socket.destroy();
    this.#handed.delete(number);
  }

  /** Asks the child to end, and kills it after `graceMs`. Resolves when it is gone. */
  close(graceMs: number): Promise<void> {
    return this.#end(graceMs, (child) => child.kill('SIGTERM'));
  }

  /** Asks a worker that has a successor to finish what it has, within `graceMs`. Resolves when it is gone. */
  retire(graceMs: number): Promise<void> {
    return this.#end(graceMs + RETIRE_MARGIN_MS, (child) =>
      child.send({ type: 'retire', graceMs } satisfies ToChild, () => undefined),
    );
  }

  #end(withinMs: number, ask: (child: ChildProcess) => void): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child) return Promise.resolve();
    return new Promise((resolve) => {
      const killer = setTimeout(() => child.kill('SIGKILL'), withinMs);
      child.once('exit', () => {
        clearTimeout(killer);
        resolve();
      });
      ask(child);
    });
  }

  /** Ends it now. */
  kill(): void {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    this.#child?.kill('SIGKILL');
  }
}
