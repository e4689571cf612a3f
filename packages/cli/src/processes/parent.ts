/** A child's side of the channel to its supervisor. */
import type { Socket } from 'node:net';
import type { ChildMessage, ChildReady, ToChild } from '../up/process-options.ts';
import { VERSION } from '../version.ts';

/** The options, once they and all handles that go with them have come. */
export function receiveOptions<Options>(): Promise<{
  readonly options: Options;
  readonly handles: readonly unknown[];
  readonly isAgain: boolean;
}> {
  return new Promise((resolve) => {
    const handles: unknown[] = [];
    let start: Extract<ToChild, { readonly type: 'start' }> | undefined;
    const receive = (message: ToChild, handle: unknown): void => {
      if (message.type === 'start') start = message;
      else if (message.type === 'handle') handles.push(handle);
      if (start === undefined || handles.length < start.handles) return;
      process.off('message', receive);
      resolve({ options: start.options as Options, handles, isAgain: start.isAgain });
    };
    process.on('message', receive);
  });
}

/** Calls `hear` with what the supervisor says from now on, and the connection that comes along, until it calls `forget`. */
export function onTold(hear: (message: ToChild, socket: Socket | undefined, forget: () => void) => void): void {
  const listener = (message: ToChild, socket: unknown): void => {
    hear(message, socket as Socket | undefined, () => process.off('message', listener));
  };
  process.on('message', listener);
}

export function tellParent(message: ChildMessage): void {
  if (process.connected) process.send?.(message);
}

/** Tells that this child serves. */
export function tellReady(fields: Omit<ChildReady, 'type' | 'version'> = {}): void {
  tellParent({ type: 'ready', version: VERSION, ...fields });
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
  // These are the supervisor's to act upon, whoever sends them to all of us.
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => undefined);
  process.on('SIGTERM', endOnce);
  process.on('disconnect', endOnce);
}
