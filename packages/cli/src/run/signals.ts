/**
 * Signals to a wrapper: the first asks for an orderly end, the second for an end at once. An echo of the first, as npm
 * and `timeout` make it by passing on what the whole group has got already, is not a second one.
 */
import { ONE_SIGNAL_MS } from '@rollcall/agent';
import { Terminal } from '../terminal.ts';

/** What signals end. */
export interface Stoppable {
  stop(reason: string): Promise<void>;
  kill(): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/**
 * Hands signals to `target`, but no SIGHUP of a terminal that this process does not use. It does so until this process
 * has ended: a signal that comes after all is over must not change the exit code.
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
