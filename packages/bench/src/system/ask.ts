import { BenchError } from '../bench-error.ts';
import type { Running } from './workplace.ts';

/**
 * Sends an order over the channel of a process and resolves with its reply. Only one order may be pending. Rejects if the process
 * exits, does not reply within `patienceMs`, or the benchmark is aborted.
 */
export function ask<Order extends { readonly order: string }, Reply>(
  running: Running,
  order: Order,
  signal: AbortSignal,
  patienceMs: number,
): Promise<Reply> {
  const { child } = running;
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      child.removeListener('message', onReply);
      signal.removeEventListener('abort', onAbort);
    };
    const onReply = (reply: unknown): void => {
      end();
      resolve(reply as Reply);
    };
    const fail = (error: unknown): void => {
      end();
      reject(error);
    };
    const onAbort = (): void => fail(signal.reason);
    const timer = setTimeout(
      () => fail(new BenchError(`${running.name} did not ${order.order} within ${patienceMs / 1_000} s`)),
      patienceMs,
    );
    child.once('message', onReply);
    signal.addEventListener('abort', onAbort);
    void running.ended.then((why) => fail(new BenchError(`${why}: ${running.log()}`)));
    child.send(order, (error) => {
      if (error) fail(new BenchError(`${running.name} cannot be reached: ${error.message}`));
    });
  });
}
