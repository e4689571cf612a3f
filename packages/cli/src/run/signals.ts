/**
 * Signals to a wrapper: the first asks for an orderly end, the second for an end at once. An echo of the first, as npm
 * and `timeout` make it by passing on what the whole group has got already, is not a second one.
 */
import { ONE_SIGNAL_MS } from '@rollcall/agent';

/** What signals end. */
export interface Stoppable {
  stop(reason: string): Promise<void>;
  kill(): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Hands signals to `target` until this process has ended: one that comes after all is over must not change the exit code. */
export function onEndSignals(target: Stoppable): void {
  let firstAtMs: number | undefined;
  const listener = (signal: NodeJS.Signals) => {
    if (firstAtMs === undefined) {
      firstAtMs = performance.now();
      void target.stop(signal);
    } else if (performance.now() - firstAtMs >= ONE_SIGNAL_MS) target.kill();
  };
  for (const signal of SIGNALS) process.on(signal, listener);
}
