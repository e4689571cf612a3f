/** One child that is started again whenever it dies or no longer answers, at once at first, then with growing pauses. */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process';
import type { Socket } from 'node:net';
import type { RestartReason } from '@rollcall/protocol';
import { nodeFlags } from '../processes/node-flags.ts';
import type { NativeHandle } from './bound-socket.ts';
import { ASK_MS, ChildLiveness } from './child-liveness.ts';
import { machineMs } from './machine-clock.ts';
import type { ChildNow, Replacement } from './process-ledger.ts';
import type { ChildFailed, ChildMessage, ChildName, ToChild } from './process-options.ts';

/** A child that has lived this long is started again at once. */
const STEADY_MS = 5_000;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;
/** What a retiring child gets beyond its grace to end, milliseconds. */
const RETIRE_MARGIN_MS = 5_000;
/**
 * A connection that a child has not taken for this long is handed to another, milliseconds: later than the child itself
 * declines it (`STALE_MS` in processes/run-worker.ts), so that never both have it.
 */
const UNTAKEN_MS = 1_500;

export interface SupervisedOptions {
  /** For people: `control`, `worker 0`. */
  readonly name: string;
  /** What it runs. */
  readonly child: ChildName;
  readonly message: object;
  /** Go along with the message, each in one of its own. */
  readonly handles?: readonly NativeHandle[];
  /** Its standard output is ours; else what it has to say there is log. */
  readonly sharesStdout?: boolean;
  readonly onReady: (message: ChildMessage & { readonly type: 'ready' }) => void;
  readonly onFailed: (message: ChildFailed) => void;
  /** It has answered. */
  readonly onAnswer?: () => void;
  /** It asks for a reload. */
  readonly onReloadWanted?: () => void;
  /** It asks for logs to be opened again. */
  readonly onRotateWanted?: () => void;
  /** It has noted the replacements up to this number. */
  readonly onNoted?: (number: number) => void;
  /** It has another process now, or none; with the one that has ended and is replaced. */
  readonly onChange: (replaced?: Replacement) => void;
  readonly say: (line: string) => void;
}

interface Handed {
  readonly socket: Socket;
  readonly atMs: number;
  readonly onLost: () => void;
}

export class SupervisedProcess {
  readonly #options: SupervisedOptions;
  #child: ChildProcess | undefined;
  #liveness = new ChildLiveness(0);
  #lookTimer: NodeJS.Timeout | undefined;
  #startedMs = 0;
  #startedUnixMs = 0;
  #pauseMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosing = false;
  #isReady = false;
  /** Why it is ended, when it is ended for its silence. */
  #silence: string | undefined;
  /** Connections on their way to it, by number. */
  readonly #handed = new Map<number, Handed>();
  #nextNumber = 0;

  constructor(options: SupervisedOptions) {
    this.#options = options;
    this.#start();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get now(): ChildNow {
    return { name: this.#options.name, pid: this.pid, sinceUnixMs: this.#startedUnixMs };
  }

  /** It serves, and has not been asked to end. */
  get isReady(): boolean {
    return this.#isReady && !this.#isClosing && this.#silence === undefined;
  }

  /** A connection is on its way to it. */
  get isHanding(): boolean {
    return this.#handed.size > 0;
  }

  /** How long it has not answered, milliseconds. */
  get silentMs(): number {
    return this.#liveness.silentMs(performance.now());
  }

  #start(): void {
    const { child: module, message, handles = [], name, sharesStdout } = this.#options;
    const isAgain = this.#startedMs > 0;
    this.#startedMs = performance.now();
    this.#startedUnixMs = Date.now();
    this.#silence = undefined;
    const execArgv = nodeFlags(process.execArgv);
    let child: ChildProcess;
    try {
      child = fork(entryOf(module), [], { execArgv, stdio: ['ignore', sharesStdout ? 1 : 2, 2, 'ipc'] });
    } catch (error) {
      this.#onEnd(0, 'exit', (error as Error).message);
      return;
    }
    this.#child = child;
    this.#liveness = new ChildLiveness(performance.now());
    this.#lookTimer = setInterval(() => this.#look(child), ASK_MS);
    child.on('message', (told: ChildMessage) => this.#onMessage(told));
    child.on('error', (error) => {
      // One that the system could not start has no exit.
      if (child.pid === undefined && this.#child === child) this.#onEnd(0, 'exit', error.message);
      else this.#options.say(`${name} process: ${error.message}`);
    });
    child.on('exit', (code, signal) => {
      const reason = this.#silence !== undefined ? 'no-answer' : signal !== null ? 'signal' : 'exit';
      this.#onEnd(child.pid ?? 0, reason, this.#silence ?? signal ?? `exit ${code}`);
    });
    const onSent = (error: Error | null): void => {
      if (error && !this.#isClosing) child.kill('SIGKILL');
    };
    child.send({ type: 'start', options: message, handles: handles.length, isAgain } satisfies ToChild, onSent);
    // Node's typings know net.Server and net.Socket; the bare handle is what those are sent as.
    for (const handle of handles)
      child.send({ type: 'handle' } satisfies ToChild, handle as unknown as SendHandle, {}, onSent);
    this.#options.onChange();
  }

  #onMessage(told: ChildMessage): void {
    this.#liveness.heard(performance.now());
    switch (told.type) {
      case 'ready':
        this.#isReady = true;
        this.#liveness.serves();
        // One of a release that does not know the question.
        if (told.answers !== true) clearInterval(this.#lookTimer);
        this.#options.onReady(told);
        break;
      case 'failed':
        this.#options.onFailed(told);
        break;
      case 'taken':
        this.#handed.get(told.number)?.socket.destroy();
        this.#handed.delete(told.number);
        break;
      case 'declined':
        this.#lose(told.number);
        break;
      case 'answer':
        this.#options.onAnswer?.();
        break;
      case 'noted':
        this.#options.onNoted?.(told.number);
        break;
      case 'reload':
        this.#options.onReloadWanted?.();
        break;
      case 'rotate':
        this.#options.onRotateWanted?.();
        break;
      default:
        // Of a newer release.
        told satisfies never;
    }
  }

  /** Asks the child whether it still turns, and ends it when it has been silent for too long. */
  #look(child: ChildProcess): void {
    const nowMs = performance.now();
    const verdict = this.#liveness.look(nowMs);
    if (verdict === 'end') {
      this.#silence = `no answer for ${this.#liveness.limitMs / 1_000} s`;
      this.#options.say(`the ${this.#options.name} process (pid ${child.pid}): ${this.#silence}; ending it`);
      child.kill('SIGTERM');
    } else if (verdict === 'kill') child.kill('SIGKILL');
    else this.tell({ type: 'ask' });
    for (const [number, { atMs }] of this.#handed) if (nowMs - atMs > UNTAKEN_MS) this.#lose(number);
  }

  #onEnd(pid: number, reason: RestartReason, detail: string): void {
    this.#child = undefined;
    this.#isReady = false;
    clearInterval(this.#lookTimer);
    for (const number of [...this.#handed.keys()]) this.#lose(number);
    if (this.#isClosing) return;
    const livedMs = performance.now() - this.#startedMs;
    this.#pauseMs = livedMs > STEADY_MS ? 0 : Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
    this.#options.say(`the ${this.#options.name} process ended (${detail}); starting it again`);
    this.#timer = setTimeout(() => this.#start(), this.#pauseMs);
    this.#options.onChange({ name: this.#options.name, pid, reason, detail });
  }

  /** Sends a message; a child that is just not there misses it. */
  tell(message: ToChild): void {
    this.#child?.send(message, () => undefined);
  }

  /** Hands a connection over. `onLost` when the child has not taken it: it ended, or does not answer. */
  hand(socket: Socket, isTls: boolean, onLost: () => void): void {
    const number = this.#nextNumber++;
    this.#handed.set(number, { socket, atMs: performance.now(), onLost });
    // Ours is kept until the child has said that it has its own: it could die with the connection on its way.
    this.#child?.send(
      { type: 'connection', number, isTls, sentMs: machineMs() } satisfies ToChild,
      socket,
      { keepOpen: true },
      () => undefined,
    );
  }

  /** A connection that was handed to it goes back, unless it has taken it. */
  #lose(number: number): void {
    const handed = this.#handed.get(number);
    this.#handed.delete(number);
    handed?.onLost();
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

/**
 * The module of a child, in the form we run in ourselves. A supervisor goes on over an upgrade in place, so that these
 * names, and the messages between it and its children, are also those of other releases.
 */
function entryOf(name: ChildName): URL {
  return new URL(`../processes/${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}
