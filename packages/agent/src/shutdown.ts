/**
 * SIGTERM and SIGINT: the node leaves in order, and then the process ends as it would have without us.
 *
 * - The program has no handler of its own: after `leave` its attached servers are closed and the signal is raised
 *   again with nobody listening, so that the process dies of it and its parent sees that (128 + n in a shell). As
 *   process 1 of a container, where the kernel ignores such signals, it exits with 128 + n instead.
 * - The program has one: both run at once, because Node calls every listener. We drain and leave; ending is the
 *   program's matter. Its handler has to `await node.drain()` before it closes its server.
 *
 * A second signal ends at once: nothing more is waited for. Within 300 ms of the first it is the same one: Ctrl-C reaches
 * the whole foreground group, and npm and `timeout` pass on to us what we have got already.
 */
import { constants } from 'node:os';

export type ShutdownSignal = 'SIGTERM' | 'SIGINT';

const SIGNALS: readonly ShutdownSignal[] = ['SIGTERM', 'SIGINT'];

/** The process as far as signals go; a parameter for tests. */
export interface SignalSource {
  readonly pid: number;
  on(signal: ShutdownSignal, listener: () => void): unknown;
  off(signal: ShutdownSignal, listener: () => void): unknown;
  // biome-ignore lint/complexity/noBannedTypes: what EventEmitter.listeners returns.
  listeners(signal: ShutdownSignal): Function[];
  kill(pid: number, signal: ShutdownSignal): unknown;
  exit(code: number): void;
}

export interface ShutdownSteps {
  /** Drain and leave; keeps serving until it resolves. */
  drain(reason: ShutdownSignal): Promise<void>;
  /** Close what was attached. Only called when the program has no handler of its own. */
  close(): Promise<void>;
}

/** Signals closer together than this, in milliseconds, are one. */
export const ONE_SIGNAL_MS = 300;

/** Several nodes in one process know each other's listeners by it, even over two copies of this package. */
const MARK = Symbol.for('rollcall.shutdown');

/** Handles both signals until the returned function is called. `nowMs` is monotonic. */
export function onShutdownSignals(source: SignalSource, steps: ShutdownSteps, nowMs: () => number): () => void {
  let firstAtMs: number | undefined;
  const listeners = new Map<ShutdownSignal, () => void>();
  const remove = () => {
    for (const [signal, listener] of listeners) source.off(signal, listener);
  };
  for (const signal of SIGNALS) {
    const listener = () => {
      if (firstAtMs !== undefined) {
        if (nowMs() - firstAtMs < ONE_SIGNAL_MS) return;
        remove();
        raise(source, signal);
        return;
      }
      firstAtMs = nowMs();
      void finish(source, signal, steps)
        .then(remove)
        .then(() => raise(source, signal));
    };
    listeners.set(signal, Object.assign(listener, { [MARK]: true }));
    source.on(signal, listener);
  }
  return remove;
}

async function finish(source: SignalSource, signal: ShutdownSignal, steps: ShutdownSteps): Promise<void> {
  await steps.drain(signal);
  if (!hasOwnHandler(source, signal)) await steps.close();
}

/** Raises `signal` for its default effect, unless somebody still listens: the program itself, or another node of it. */
function raise(source: SignalSource, signal: ShutdownSignal): void {
  if (source.listeners(signal).length > 0) return;
  if (source.pid === 1) source.exit(128 + constants.signals[signal]);
  else source.kill(source.pid, signal);
}

function hasOwnHandler(source: SignalSource, signal: ShutdownSignal): boolean {
  return source.listeners(signal).some((listener) => !(MARK in listener));
}
