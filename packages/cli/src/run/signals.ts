/**
 * Signals to a wrapper: the first starts an orderly end, the second ends it at once. npm and `timeout` forward a signal that the
 * whole group has already received. Such an echo does not count as the second signal.
 */
import { ONE_SIGNAL_MS } from '@rollcall/agent';
import { Terminal } from '../terminal.ts';

/** Target of signals. */
export interface Stoppable {
  stop(reason: string): Promise<void>;
  kill(): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/**
 * Forwards signals to `target`, except a SIGHUP of a terminal that this process does not use. The handlers stay until the end of
 * the process, so that a late signal does not change the exit code.
 */
export function onEndSignals(target: Stoppable): void {
  const terminal = new Terminal();
  let firstAtMs: number | undefined;
  const listener = (signal: NodeJS.Signals) => {
    if (signal === 'SIGHUP' && terminal.hangup() === 'detached') return;
    if (firstAtMs === undefined) {
      firstAtMs = performance.now();
      void target.stop(signal);
    } else if (performance.now() - firstAtMs >= ONE_SIGNAL_MS) target.kill();
  };
  for (const signal of SIGNALS) process.on(signal, listener);
}
