/** A child's side of the channel to its supervisor. */
import type { Socket } from 'node:net';
import type { ChildMessage, ChildReady, ToChild } from '../up/process-options.ts';
import { VERSION } from '../version.ts';

/** An end in order takes no longer than this once the supervisor is gone, milliseconds: no other process would cut it short. */
const ALONE_MS = 12_000;

/** What is left to a child's own code. */
export type Told = Exclude<ToChild, { readonly type: 'start' | 'handle' | 'ask' }>;

export interface Start<Options> {
  readonly options: Options;
  readonly handles: readonly unknown[];
  readonly isAgain: boolean;
}

/**
 * Makes the process end with its supervisor, from the moment it is constructed. Before the child serves there is
 * nothing to finish: it exits at once when the channel closes, and SIGTERM keeps its default action, which also ends a
 * process that is busy loading. Once it serves, both end it in order.
 */
export class Parent {
  readonly #started: Promise<Start<unknown>>;
  readonly #listeners = new Set<(message: Told, socket: Socket | undefined) => void>();
  #end: (() => Promise<void>) | undefined;
  #isEnding = false;

  constructor() {
    // These are the supervisor's to act upon, also when the whole group gets them.
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => undefined);
    process.on('disconnect', () => this.#onDisconnect());
    if (!process.connected) process.exit(1);
    this.#started = new Promise((resolve) => this.#receive(resolve));
  }

  #receive(onStart: (start: Start<unknown>) => void): void {
    const handles: unknown[] = [];
    let start: Extract<ToChild, { readonly type: 'start' }> | undefined;
    process.on('message', (message: ToChild, handle: unknown) => {
      if (message.type === 'ask') this.tell({ type: 'answer' });
      else if (message.type === 'start' || message.type === 'handle') {
        if (message.type === 'start') start = message;
        else handles.push(handle);
        if (start !== undefined && handles.length === start.handles)
          onStart({ options: start.options, handles, isAgain: start.isAgain });
      } else if (message.type === 'retire' && this.#end === undefined) process.exit(0);
      else for (const hear of [...this.#listeners]) hear(message, handle as Socket | undefined);
    });
  }

  /** The options, once they and all handles that go with them have come. */
  async options<Options>(): Promise<Start<Options>> {
    return (await this.#started) as Start<Options>;
  }

  /** Calls `hear` with each message from now on, and the connection that comes along. Returns the way to stop. */
  onTold(hear: (message: Told, socket: Socket | undefined) => void): () => void {
    this.#listeners.add(hear);
    return () => this.#listeners.delete(hear);
  }

  tell(message: ChildMessage): void {
    // A channel that breaks closes as well.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }

  /** Reports that this child serves. `end` is called once: on SIGTERM, or when the supervisor is gone. */
  serves(end: () => Promise<void>, fields: Pick<ChildReady, 'loginUrl' | 'warnings'> = {}): void {
    this.#end = end;
    process.on('SIGTERM', () => this.endInOrder(end));
    this.tell({ type: 'ready', version: VERSION, answers: true, ...fields });
  }

  /** Runs `end` and exits. A repeat waits for the first. */
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
