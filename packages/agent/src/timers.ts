/**
 * Abstraction of real time. All timers of the agent use it, so tests run without waiting. It also ensures that timers of the
 * SDK do not keep the process of the application alive.
 */
import { performance } from 'node:perf_hooks';
// Not the globals: test runners replace them by fake timers, or by timers of a browser, which have no `unref`.
import { clearTimeout, setTimeout } from 'node:timers';

export interface Timers {
  /** Monotonic milliseconds from an arbitrary start. */
  nowMs(): number;
  /** Runs `run` once after `delayMs`. The returned function cancels it and may be called repeatedly. */
  after(delayMs: number, run: () => void, options?: TimerOptions): () => void;
}

export interface TimerOptions {
  /** Whether the timer keeps the process alive, default false; for drains and orderly closes only. */
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
