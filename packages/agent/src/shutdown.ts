/**
 * Signals that end the process: the nodes leave in order, and then the process ends as it would have without us.
 *
 * - The program has no handler of its own: after `leave` the attached servers are closed and the signal is raised
 *   again without a listener, so that the process dies of it and its parent sees that (128 + n in a shell). As
 *   process 1 of a container, where the kernel ignores such signals, it exits with 128 + n instead.
 * - The program has one: both run at once, because Node calls every listener. The nodes drain and leave; ending is the
 *   program's matter. Its handler has to `await node.drain()` before it closes its server.
 *
 * A second signal ends at once: nothing more is waited for. Within 300 ms of the first it is the same one: Ctrl-C reaches
 * the whole foreground group, and npm and `timeout` pass on to us what we have got already.
 *
 * There is one listener for each signal and process, however many nodes came and went, also over two copies of this
 * package: the first copy keeps the nodes of all of them. It is removed with the last node.
 */
import { constants } from 'node:os';

/** Signals at which a node can leave. */
export const SHUTDOWN_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const;

export type ShutdownSignal = (typeof SHUTDOWN_SIGNALS)[number];

/** Where the program says nothing: what supervisors and Ctrl-C send. */
export const DEFAULT_SIGNALS: readonly ShutdownSignal[] = ['SIGTERM', 'SIGINT'];

/** The process as far as signals go; a parameter for tests. */
export interface SignalSource {
  readonly pid: number;
  /** Before all others: a `once` listener of the program is removed when it is called. */
  prependListener(signal: ShutdownSignal, listener: () => void): unknown;
  off(signal: ShutdownSignal, listener: () => void): unknown;
  // biome-ignore lint/complexity/noBannedTypes: what EventEmitter.listeners returns.
  listeners(signal: ShutdownSignal): Function[];
  kill(pid: number, signal: ShutdownSignal): unknown;
  exit(code: number): void;
}

/** What one node does. Neither rejects. */
export interface ShutdownSteps {
  /** Drain and leave; keeps serving until it resolves. */
  drain(reason: ShutdownSignal): Promise<void>;
  /** Close what was attached. Only called when the program has no handler of its own. */
  close(): Promise<void>;
}

/** Signals closer together than this, in milliseconds, are one. */
export const ONE_SIGNAL_MS = 300;

/** On the process. Its shape is shared with other copies of this package: another shape needs another name. */
const SHARED = Symbol.for('@rollcall/agent shutdown 1');

/**
 * Handles `signals` for one node until the returned function is called. `nowMs` is monotonic. A signal that the platform
 * does not have is left out.
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
  /** When the signal came whose end is under way. */
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
      // While the end is under way the listeners stay: a second signal has its meaning until the process has ended.
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
      // Not a signal of this platform: it cannot arrive.
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

  /** `isHandled`: the program had a handler when the signal came, and ends itself. */
  async #finish(signal: ShutdownSignal, isHandled: boolean): Promise<void> {
    const nodes = [...this.#nodes].filter(([, signals]) => signals.includes(signal)).map(([steps]) => steps);
    await Promise.allSettled(nodes.map((steps) => steps.drain(signal)));
    if (!isHandled) await Promise.allSettled(nodes.map((steps) => steps.close()));
    for (const steps of nodes) this.#nodes.delete(steps);
    if (isHandled) this.#stopListening();
    else this.#raise(signal);
  }

  /** Raises `signal` for its default effect, unless the program listens. */
  #raise(signal: ShutdownSignal): void {
    const source = this.#source;
    this.#stopListening();
    if (source.listeners(signal).length > 0) return;
    if (source.pid === 1) source.exit(128 + constants.signals[signal]);
    else source.kill(source.pid, signal);
  }

  /** The end is over. The program may live on, and so may nodes that do not end at this signal. */
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
