/**
 * Signals that end the process: the nodes drain and leave, then the process ends with the effect of the signal.
 *
 * - Without a handler of the program: after `leave` the attached servers are closed and the signal is raised again without a
 *   listener. The process dies of it, and its parent gets this status (128 + n in a shell). Process 1 of a container exits
 *   with 128 + n instead, because the kernel ignores such signals for it.
 * - With a handler of the program: both handlers run, because Node.js calls every listener. The nodes drain and leave; the
 *   program ends the process. Its handler has to `await node.drain()` before it closes its server.
 *
 * A second signal ends the process at once. Within 300 ms of the first it counts as the same signal. Ctrl-C reaches the whole
 * foreground process group, and npm and `timeout` forward the signal again.
 *
 * The process has one listener for each signal, independent of the number of nodes. All copies of this package share it: the
 * first copy stores the nodes of all copies. The listener is removed with the last node.
 */
import { constants } from 'node:os';

/** Signals that can start an orderly shutdown. */
export const SHUTDOWN_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const;

export type ShutdownSignal = (typeof SHUTDOWN_SIGNALS)[number];

/** Default signals: those sent by supervisors and Ctrl-C. */
export const DEFAULT_SIGNALS: readonly ShutdownSignal[] = ['SIGTERM', 'SIGINT'];

/** The signal functions of the process; a parameter for tests. */
export interface SignalSource {
  readonly pid: number;
  /** Adds a listener before all others, because a `once` listener of the program is removed before it is called. */
  prependListener(signal: ShutdownSignal, listener: () => void): unknown;
  off(signal: ShutdownSignal, listener: () => void): unknown;
  // biome-ignore lint/complexity/noBannedTypes: return type of EventEmitter.listeners.
  listeners(signal: ShutdownSignal): Function[];
  kill(pid: number, signal: ShutdownSignal): unknown;
  exit(code: number): void;
}

/** Shutdown steps of one node. The promises do not reject. */
export interface ShutdownSteps {
  /** Drains and leaves; the servers serve until it resolves. */
  drain(reason: ShutdownSignal): Promise<void>;
  /** Closes the attached servers. Called only if the program has no handler. */
  close(): Promise<void>;
}

/** Signals within this time count as one, in milliseconds. */
export const ONE_SIGNAL_MS = 300;

/** Key of the property of the process. Other copies of this package use the same interface: a changed one needs another key. */
const SHARED = Symbol.for('@rollcall/agent shutdown 1');

/**
 * Handles `signals` for one node until the returned function is called. `nowMs` is monotonic. Signals that the platform does
 * not support are ignored.
 */
export function onShutdownSignals(
  source: SignalSource,
  signals: readonly ShutdownSignal[],
  steps: ShutdownSteps,
  nowMs: () => number,
): () => void {
  const shared = source as SignalSource & { [SHARED]?: Shutdown };
  shared[SHARED] ??= new Shutdown(source, nowMs);
  return shared[SHARED].add(signals, steps);
}

class Shutdown {
  readonly #source: SignalSource;
  readonly #nowMs: () => number;
  readonly #nodes = new Map<ShutdownSteps, readonly ShutdownSignal[]>();
  readonly #listeners = new Map<ShutdownSignal, () => void>();
  /** Time of the first signal; `undefined` while no shutdown is running. */
  #firstAtMs: number | undefined;

  constructor(source: SignalSource, nowMs: () => number) {
    this.#source = source;
    this.#nowMs = nowMs;
  }

  add(signals: readonly ShutdownSignal[], steps: ShutdownSteps): () => void {
    this.#nodes.set(steps, signals);
    for (const signal of signals) this.#listen(signal);
    return () => {
      this.#nodes.delete(steps);
      // During a shutdown the listeners stay, for a second signal.
      if (this.#firstAtMs === undefined) this.#removeUnwanted();
    };
  }

  #listen(signal: ShutdownSignal): void {
    if (this.#listeners.has(signal)) return;
    const listener = () => this.#onSignal(signal);
    try {
      this.#source.prependListener(signal, listener);
      this.#listeners.set(signal, listener);
    } catch {
      // The platform does not support this signal.
    }
  }

  #onSignal(signal: ShutdownSignal): void {
    if (this.#firstAtMs === undefined) {
      this.#firstAtMs = this.#nowMs();
      void this.#finish(signal, this.#hasOtherHandler(signal));
    } else if (this.#nowMs() - this.#firstAtMs >= ONE_SIGNAL_MS) {
      this.#nodes.clear();
      this.#raise(signal);
    }
  }

  /** `isHandled`: the program had a handler when the signal arrived, and ends the process itself. */
  async #finish(signal: ShutdownSignal, isHandled: boolean): Promise<void> {
    const nodes = [...this.#nodes].filter(([, signals]) => signals.includes(signal)).map(([steps]) => steps);
    await Promise.allSettled(nodes.map((steps) => steps.drain(signal)));
    if (!isHandled) await Promise.allSettled(nodes.map((steps) => steps.close()));
    for (const steps of nodes) this.#nodes.delete(steps);
    if (isHandled) this.#stopListening();
    else this.#raise(signal);
  }

  /** Raises `signal` for its default effect, unless the program has a listener. */
  #raise(signal: ShutdownSignal): void {
    const source = this.#source;
    this.#stopListening();
    if (source.listeners(signal).length > 0) return;
    if (source.pid === 1) source.exit(128 + constants.signals[signal]);
    else source.kill(source.pid, signal);
  }

  /** Ends the shutdown. The program may continue, with nodes that do not handle this signal. */
  #stopListening(): void {
    for (const [each, listener] of this.#listeners) this.#source.off(each, listener);
    this.#listeners.clear();
    this.#firstAtMs = undefined;
    for (const signals of this.#nodes.values()) for (const each of signals) this.#listen(each);
  }

  #removeUnwanted(): void {
    const wanted = new Set([...this.#nodes.values()].flat());
    for (const [signal, listener] of this.#listeners) {
      if (wanted.has(signal)) continue;
      this.#source.off(signal, listener);
      this.#listeners.delete(signal);
    }
  }

  #hasOtherHandler(signal: ShutdownSignal): boolean {
    return this.#source.listeners(signal).some((listener) => listener !== this.#listeners.get(signal));
  }
}
