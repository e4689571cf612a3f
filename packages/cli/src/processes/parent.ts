/** A child's side of the channel to its supervisor. */
import type { ChildMessage } from '../up/process-options.ts';

/** The options, once they come, and the handle that came along. */
export function receiveOptions<Options>(): Promise<{ readonly options: Options; readonly handle: unknown }> {
  return new Promise((resolve) => {
    process.once('message', (options: Options, handle: unknown) => resolve({ options, handle }));
  });
}

export function tellParent(message: ChildMessage): void {
  if (process.connected) process.send?.(message);
}

/** Calls `end` once: on SIGTERM, or when the supervisor is gone, whichever way it went. Ctrl-C is the supervisor's to handle. */
export function onParentEnd(end: () => Promise<void>): void {
  let isEnding = false;
  const endOnce = (): void => {
    if (isEnding) return;
    isEnding = true;
    end().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', endOnce);
  process.on('disconnect', endOnce);
}
