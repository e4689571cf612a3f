/**
 * The seam between the agent and real time. All timers of the agent go through it, so that tests can run without
 * waiting and so that it is said in one place that a timer of ours never keeps the application's process alive.
 */
import { performance } from 'node:perf_hooks';
// Not the globals: test runners replace them by fake timers, and by those of a browser, which have no `unref`.
import { clearTimeout, setTimeout } from 'node:timers';

export interface Timers {
  /** Monotonic milliseconds from an arbitrary start. */
  nowMs(): number;
  /** Runs `run` once after `delayMs`; the returned function cancels it and may be called any number of times. */
  after(delayMs: number, run: () => void, options?: TimerOptions): () => void;
}

export interface TimerOptions {
  /** The process must stay alive until then; for drains only. Default false. */
  readonly keepsProcess?: boolean;
}

/** Real time. */
export function systemTimers(): Timers {
  return {
    nowMs: () => performance.now(),
    after(delayMs, run, options) {
      const timer = setTimeout(run, delayMs);
      if (!options?.keepsProcess) timer.unref();
      return () => clearTimeout(timer);
    },
  };
}
