/** One child that is restarted when it dies or no longer answers: first at once, then with backoff. */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process';
import type { Socket } from 'node:net';
import type { RestartReason } from '@rollcall/protocol';
import type { CertificatesReport } from '@rollcall/proxy';
import { nodeFlags } from '../processes/node-flags.ts';
import type { NativeHandle } from './bound-socket.ts';
import { ASK_MS, ChildLiveness } from './child-liveness.ts';
import { cpuWaitMs } from './cpu-wait.ts';
import { machineMs } from './machine-clock.ts';
import type { ChildNow, Replacement } from './process-ledger.ts';
import type { ChildFailed, ChildMessage, ChildName, ToChild } from './process-options.ts';

/** A child that has lived this long is restarted at once, milliseconds. */
const STEADY_MS = 5_000;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;
/** Longest message of a child that is reported, characters. */
const MAX_MESSAGE = 300;
/** Time that a retiring child gets beyond its grace, milliseconds. */
const RETIRE_MARGIN_MS = 5_000;
/**
 * A connection that a child has not taken after this time is handed to another child, milliseconds. The child itself declines it
 * earlier (`STALE_MS` in processes/run-worker.ts), so that never two children have it.
 */
const UNTAKEN_MS = 1_500;

export interface SupervisedOptions {
  /** Name in logs: `control`, `worker 0`. */
  readonly name: string;
  /** Entry module. */
  readonly child: ChildName;
  readonly message: object;
  /** Handles of the options, each sent in a message of its own. */
  readonly handles?: readonly NativeHandle[];
  /** The child inherits standard output; otherwise its output goes to the log. */
  readonly sharesStdout?: boolean;
  readonly onReady: (message: ChildMessage & { readonly type: 'ready' }) => void;
  readonly onFailed: (message: ChildFailed) => void;
  /** The child has answered a ping. */
  readonly onAnswer?: () => void;
  /** The child requests a reload; with its number for the request. */
  readonly onReloadRequest?: (id: number) => void;
  /** The child requests that logs are reopened. */
  readonly onRotateRequest?: () => void;
  /** The child has noted the replacements up to this number. */
  readonly onNoted?: (number: number) => void;
  /** The process of this child has changed or ended; with the process that is replaced. */
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
  /** Reason of the end, if the child is ended because of its silence. */
  #silence: string | undefined;
  /** Error that the child has reported before its end. */
  #message: string | undefined;
  /** Ends in a row before the child had served for `STEADY_MS`. */
  #failedStarts = 0;
  #certificates: CertificatesReport = { inUse: [], kept: [] };
  /** Connections that were sent to the child but not taken yet, by number. */
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
    const { inUse } = this.#certificates;
    return {
      name: this.#options.name,
      pid: this.pid,
      sinceUnixMs: this.#startedUnixMs,
      isServing: this.isReady,
      failedStarts: this.#failedStarts,
      ...(inUse.length > 0 && { certificates: inUse }),
    };
  }

  /** The child serves, and no end was requested. */
  get isReady(): boolean {
    return this.#isReady && !this.#isClosing && this.#silence === undefined;
  }

  /** A connection was sent to the child but not taken yet. */
  get isHanding(): boolean {
    return this.#handed.size > 0;
  }

  /** Current silence of the child, milliseconds. */
  get silentMs(): number {
    return this.#liveness.silentMs(performance.now());
  }

  #start(): void {
    const { child: module, message, handles = [], name, sharesStdout } = this.#options;
    const isAgain = this.#startedMs > 0;
    this.#startedMs = performance.now();
    this.#startedUnixMs = Date.now();
    this.#silence = undefined;
    this.#message = undefined;
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
    child.on('message', (message: ChildMessage) => this.#onMessage(message));
    child.on('error', (error) => {
      // A process that the system could not start emits no `exit`.
      if (child.pid === undefined && this.#child === child) this.#onEnd(0, 'exit', error.message);
      else this.#options.say(`${name} process: ${error.message}`);
    });
    child.on('exit', (code, signal) => {
      const reason = this.#silence !== undefined ? 'no-answer' : signal !== null ? 'signal' : 'exit';
      this.#onEnd(child.pid ?? 0, reason, this.#silence ?? signal ?? this.#message ?? `exit ${code}`);
    });
    const onSent = (error: Error | null): void => {
      if (error && !this.#isClosing) child.kill('SIGKILL');
    };
    const { kept: certificates } = this.#certificates;
    const start = { type: 'start', options: message, handles: handles.length, isAgain } as const;
    child.send({ ...start, ...(certificates.length > 0 && { certificates }) } satisfies ToChild, onSent);
    // Node's typings accept net.Server and net.Socket, which are sent as this bare handle.
    for (const handle of handles)
      child.send({ type: 'handle' } satisfies ToChild, handle as unknown as SendHandle, {}, onSent);
    this.#options.onChange();
  }

  #onMessage(message: ChildMessage): void {
    this.#liveness.received(performance.now());
    switch (message.type) {
      case 'ready':
        this.#isReady = true;
        this.#liveness.serves();
        // A child of a release without pings.
        if (message.answers !== true) clearInterval(this.#lookTimer);
        this.#options.onReady(message);
        this.#options.onChange();
        break;
      case 'failed':
        this.#message = oneLine(message.message);
        this.#options.onFailed(message);
        break;
      case 'crashed':
        this.#message = oneLine(message.message);
        break;
      case 'certificates':
        this.#certificates = message;
        this.#options.onChange();
        break;
      case 'taken':
        this.#handed.get(message.number)?.socket.destroy();
        this.#handed.delete(message.number);
        break;
      case 'declined':
        this.#lose(message.number);
        break;
      case 'answer':
        this.#options.onAnswer?.();
        break;
      case 'noted':
        this.#options.onNoted?.(message.number);
        break;
      case 'reload':
        this.#options.onReloadRequest?.(message.id ?? 0);
        break;
      case 'rotate':
        this.#options.onRotateRequest?.();
        break;
      default:
        // A message of a newer release.
        message satisfies never;
    }
  }

  /** Pings the child, and ends it after too long a silence. */
  #look(child: ChildProcess): void {
    const nowMs = performance.now();
    const verdict = this.#liveness.look(nowMs, child.pid === undefined ? undefined : cpuWaitMs(child.pid));
    if (verdict === 'end') {
      this.#silence = `no answer for ${this.#liveness.limitMs / 1_000} s`;
      this.#options.say(`the ${this.#options.name} process (pid ${child.pid}): ${this.#silence}; ending it`);
      child.kill('SIGTERM');
    } else if (verdict === 'kill') child.kill('SIGKILL');
    else this.send({ type: 'ask' });
    for (const [number, { atMs }] of this.#handed) if (nowMs - atMs > UNTAKEN_MS) this.#lose(number);
  }

  #onEnd(pid: number, reason: RestartReason, detail: string): void {
    const livedMs = performance.now() - this.#startedMs;
    this.#failedStarts = this.#isReady && livedMs > STEADY_MS ? 0 : this.#failedStarts + 1;
    this.#certificates = { ...this.#certificates, inUse: [] };
    this.#child = undefined;
    this.#isReady = false;
    clearInterval(this.#lookTimer);
    for (const number of [...this.#handed.keys()]) this.#lose(number);
    if (this.#isClosing) return;
    this.#pauseMs = livedMs > STEADY_MS ? 0 : Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
    this.#options.say(`the ${this.#options.name} process ended (${detail}); restarting it`);
    this.#timer = setTimeout(() => this.#start(), this.#pauseMs);
    this.#options.onChange({ name: this.#options.name, pid, reason, detail });
  }

  /** Sends a message; it is lost while the child is being restarted. */
  send(message: ToChild): void {
    this.#child?.send(message, () => undefined);
  }

  /** Hands a connection over. Calls `onLost` if the child does not take it, because it ended or does not answer. */
  hand(socket: Socket, isTls: boolean, onLost: () => void): void {
    const number = this.#nextNumber++;
    this.#handed.set(number, { socket, atMs: performance.now(), onLost });
    // The handle is kept until the child confirms: the child could die before it receives the connection.
    this.#child?.send(
      { type: 'connection', number, isTls, sentMs: machineMs() } satisfies ToChild,
      socket,
      { keepOpen: true },
      () => undefined,
    );
  }

  /** Returns a connection that was handed to the child, unless the child has taken it. */
  #lose(number: number): void {
    const handed = this.#handed.get(number);
    this.#handed.delete(number);
    handed?.onLost();
  }

  /** Ends the child, and kills it after `graceMs`. Resolves when it is gone. */
  close(graceMs: number): Promise<void> {
    return this.#end(graceMs, (child) => child.kill('SIGTERM'));
  }

  /** Retires a worker that has a successor: it finishes open requests within `graceMs`. Resolves when it is gone. */
  retire(graceMs: number): Promise<void> {
    return this.#end(graceMs + RETIRE_MARGIN_MS, (child) =>
      child.send({ type: 'retire', graceMs } satisfies ToChild, () => undefined),
    );
  }

  #end(withinMs: number, request: (child: ChildProcess) => void): Promise<void> {
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
      request(child);
    });
  }

  /** Kills the child now. */
  kill(): void {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    this.#child?.kill('SIGKILL');
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, MAX_MESSAGE);
}

/**
 * Path of an entry module, `.ts` or `.js` like this module. A supervisor keeps running over an upgrade in place. So these
 * names, and the messages between supervisor and children, are shared with other releases.
 */
function entryOf(name: ChildName): URL {
  return new URL(`../processes/${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}
