import { CliFailure, EXIT } from '../exit.ts';

/** What `promise` comes to, or a failure with `what` when that takes longer than `ms`. */
export async function within<Value>(promise: Promise<Value>, ms: number, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CliFailure(`${what} after ${ms / 1_000} s`, EXIT.failed)), ms);
    // What ends while it is waited for does not have to be waited for.
    timer.unref();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
