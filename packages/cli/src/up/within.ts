import { CliFailure, EXIT } from '../exit.ts';

/** The outcome of `promise`, or a failure with `what` after `ms`. */
export async function within<Value>(promise: Promise<Value>, ms: number, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CliFailure(`${what} after ${ms / 1_000} s`, EXIT.failed)), ms);
    // The timer is not needed once the promise has settled.
    timer.unref();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
