/** The proxy's workers: one process per slot, replaced together without failed requests. */
import type { Socket } from 'node:net';
import { CliFailure, EXIT } from '../exit.ts';
import type { NativeHandle } from './bound-socket.ts';
import type { ChildNow } from './process-ledger.ts';
import type { WorkerProcessOptions } from './process-options.ts';
import { type SupervisedOptions, SupervisedProcess } from './supervised-process.ts';
import { within } from './within.ts';

export interface WorkerPoolOptions {
  readonly slots: number;
  /** Listener of the worker of this slot. */
  readonly handlesOf: (slot: number) => readonly NativeHandle[];
  readonly onChange: SupervisedOptions['onChange'];
  readonly say: (line: string) => void;
}

/** Options of a worker, except its name. */
export type WorkerSettings = (name: string, slot: number) => WorkerProcessOptions;

/** Time limit for the start of replacement workers, milliseconds. */
export const START_MS = 30_000;
/** A worker with this silence gets no connection while another worker answers, milliseconds. */
const UNANSWERED_MS = 1_000;
/** Time that the end waits for connections that a worker has not taken yet, milliseconds. */
const ARRIVE_MS = 2_000;
/** Most connections that wait for a worker; the next one is closed. */
const MAX_WAITING = 1_024;

interface Waiting {
  readonly socket: Socket;
  readonly isTls: boolean;
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  #workers: readonly SupervisedProcess[] = [];
  readonly #retiring = new Set<SupervisedProcess>();
  readonly #waiting: Waiting[] = [];
  /** Aborts the wait for replacement workers. */
  #giveUp: () => void = () => {};
  #generation = 0;
  #nextSlot = 0;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  get pids(): readonly (number | undefined)[] {
    return this.#workers.map(({ pid }) => pid);
  }

  get now(): readonly ChildNow[] {
    return this.#workers.map(({ now }) => now);
  }

  /** Starts a worker for each slot. Resolves with their version when all serve; rejects if one cannot. */
  async start(settings: WorkerSettings): Promise<string> {
    const { workers, ready } = this.#startAll(settings);
    this.#workers = workers;
    return await ready;
  }

  /**
   * Starts new workers, and once all serve, retires the old workers, which finish their requests within `graceMs`. Resolves with
   * the version of the new workers. If one cannot start, rejects and changes nothing.
   */
  async replace(settings: WorkerSettings, graceMs: number): Promise<string> {
    const { workers, ready } = this.#startAll(settings);
    const given = new Promise<never>((_, reject) => {
      this.#giveUp = () => reject(new CliFailure('rollcall is shutting down', EXIT.failed));
    });
    try {
      const version = await within(Promise.race([ready, given]), START_MS, 'the new workers do not serve');
      const before = this.#workers;
      this.#workers = workers;
      for (const worker of before) this.#retire(worker, graceMs);
      return version;
    } catch (error) {
      for (const worker of workers) worker.kill();
      throw error;
    }
  }

  #retire(worker: SupervisedProcess, graceMs: number): void {
    this.#retiring.add(worker);
    void worker.retire(graceMs).finally(() => this.#retiring.delete(worker));
  }

  #startAll(settings: WorkerSettings): {
    readonly workers: readonly SupervisedProcess[];
    readonly ready: Promise<string>;
  } {
    const { slots, handlesOf, onChange, say } = this.#options;
    const generation = this.#generation++;
    const workers: SupervisedProcess[] = [];
    const ready: Promise<string>[] = [];
    for (let slot = 0; slot < slots; slot++) {
      // Old and new workers follow the feed at the same time, so they need different names.
      const name = generation === 0 ? `local-${slot}` : `local-${slot}-${generation}`;
      ready.push(
        new Promise((resolve, reject) => {
          workers.push(
            new SupervisedProcess({
              name: slots === 1 ? 'worker' : `worker ${slot}`,
              child: 'worker',
              message: settings(name, slot),
              handles: handlesOf(slot),
              sharesStdout: true,
              onReady: ({ version }) => {
                resolve(version);
                this.#handWaiting();
              },
              onFailed: ({ message }) => reject(new CliFailure(message, EXIT.failed)),
              onAnswer: () => this.#handWaiting(),
              onChange,
              say,
            }),
          );
        }),
      );
    }
    return { workers, ready: Promise.all(ready).then(([version = '']) => version) };
  }

  /** Hands an accepted connection to the next worker that serves and answers; without one, the connection waits. */
  hand(socket: Socket, isTls: boolean): void {
    const { length } = this.#workers;
    for (let tries = 0; tries < length; tries++) {
      const worker = this.#workers[this.#nextSlot++ % length]!;
      if (!worker.isReady || worker.silentMs > UNANSWERED_MS) continue;
      worker.hand(socket, isTls, () => this.hand(socket, isTls));
      return;
    }
    this.#wait({ socket, isTls });
  }

  #wait(waiting: Waiting): void {
    if (waiting.socket.destroyed) return;
    if (this.#waiting.length >= MAX_WAITING) waiting.socket.destroy();
    else this.#waiting.push(waiting);
  }

  #handWaiting(): void {
    if (this.#waiting.length === 0) return;
    for (const { socket, isTls } of this.#waiting.splice(0)) this.hand(socket, isTls);
  }

  /** Notifies all workers, including retiring workers, that the access log was moved. */
  reopenLogs(): void {
    for (const worker of [...this.#workers, ...this.#retiring]) worker.send({ type: 'reopen-log' });
  }

  /** Ends all workers within `graceMs`, after they have taken the connections that were handed to them. */
  async close(graceMs: number): Promise<void> {
    this.#giveUp();
    const endMs = performance.now() + ARRIVE_MS;
    while (this.#isHanding && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const { socket } of this.#waiting.splice(0)) socket.destroy();
    await Promise.all([...this.#workers, ...this.#retiring].map((worker) => worker.close(graceMs)));
  }

  get #isHanding(): boolean {
    return this.#waiting.length > 0 || this.#workers.some((worker) => worker.isHanding);
  }

  /** Kills all workers now. */
  kill(): void {
    this.#giveUp();
    for (const worker of [...this.#workers, ...this.#retiring]) worker.kill();
  }
}
