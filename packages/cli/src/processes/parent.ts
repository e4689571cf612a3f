/** The child's end of the channel to its supervisor. */
import type { Socket } from 'node:net';
import type { KeptCertificate } from '@rollcall/proxy';
import type { ChildMessage, ChildReady, ToChild } from '../up/process-options.ts';
import { VERSION } from '../version.ts';

/** Time limit of a graceful end without a supervisor, milliseconds: no other process would enforce one. */
const ALONE_MS = 12_000;

/** Part of the end that is the child's own. */
export type SupervisorMessage = Exclude<ToChild, { readonly type: 'start' | 'handle' | 'ask' }>;

export interface Start<Options> {
  readonly options: Options;
  readonly handles: readonly unknown[];
  readonly isAgain: boolean;
  /** Certificates that an earlier process of this child has reported. */
  readonly certificates: readonly KeptCertificate[];
}

/**
 * Makes the process end with its supervisor, from construction on. Before the child serves, it exits at once when the channel
 * closes. SIGTERM keeps its default action until then, which also ends a process that is busy loading. Once it serves, both start a
 * graceful end.
 */
export class Parent {
  readonly #started: Promise<Start<unknown>>;
  readonly #listeners = new Set<(message: SupervisorMessage, socket: Socket | undefined) => void>();
  #end: (() => Promise<void>) | undefined;
  #isEnding = false;

  constructor() {
    // The supervisor handles these signals, also when the whole process group receives them.
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => undefined);
    process.on('disconnect', () => this.#onDisconnect());
    process.on('uncaughtExceptionMonitor', (error: unknown) => this.send({ type: 'crashed', message: String(error) }));
    if (!process.connected) process.exit(1);
    this.#started = new Promise((resolve) => this.#receive(resolve));
  }

  #receive(onStart: (start: Start<unknown>) => void): void {
    const handles: unknown[] = [];
    let start: Extract<ToChild, { readonly type: 'start' }> | undefined;
    process.on('message', (message: ToChild, handle: unknown) => {
      if (message.type === 'ask') this.send({ type: 'answer' });
      else if (message.type === 'start' || message.type === 'handle') {
        if (message.type === 'start') start = message;
        else handles.push(handle);
        if (start !== undefined && handles.length === start.handles)
          onStart({
            options: start.options,
            handles,
            isAgain: start.isAgain,
            certificates: start.certificates ?? [],
          });
      } else if (message.type === 'retire' && this.#end === undefined) process.exit(0);
      else for (const listener of [...this.#listeners]) listener(message, handle as Socket | undefined);
    });
  }

  /** Resolves with the options when they and all their handles have arrived. */
  async options<Options>(): Promise<Start<Options>> {
    return (await this.#started) as Start<Options>;
  }

  /** Calls `listener` with each later message and its connection. Returns a function that stops this. */
  onMessage(listener: (message: SupervisorMessage, socket: Socket | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  send(message: ChildMessage): void {
    // A broken channel emits `disconnect` as well.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }

  /** Reports that this child serves. `end` is called once: on SIGTERM, or when the supervisor is gone. */
  serves(end: () => Promise<void>, fields: Pick<ChildReady, 'loginUrl' | 'warnings'> = {}): void {
    this.#end = end;
    process.on('SIGTERM', () => this.endInOrder(end));
    this.send({ type: 'ready', version: VERSION, answers: true, ...fields });
  }

  /** Runs `end` and exits. Further calls wait for the first one. */
  endInOrder(end: () => Promise<void>): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    end().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  }

  /** Reports why this child cannot start, and exits. */
  failed(message: string): void {
    const report: ChildMessage = { type: 'failed', message };
    if (process.connected && process.send) process.send(report, undefined, undefined, () => process.exit(1));
    else process.exit(1);
  }

  #onDisconnect(): void {
    if (this.#end === undefined) process.exit(1);
    setTimeout(() => process.exit(1), ALONE_MS).unref();
    this.endInOrder(this.#end);
  }
}
