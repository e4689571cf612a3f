/** Flags with the bounds of the admin API, checked before a request is sent. */
import { MAX_REASON_CHARACTERS, MAX_WISH_MS } from '@rollcall/protocol';
import { durationFlag } from '../duration.ts';
import { CliFailure, EXIT } from '../exit.ts';

/** `{ reason }`, or nothing when there is none. Fails with exit 2 for a reason that the audit log does not accept. */
export function reasonOf(text: string | undefined): { readonly reason?: string } {
  if (text === undefined) return {};
  if (text.length > MAX_REASON_CHARACTERS)
    throw usage(`--reason has ${text.length} characters; at most ${MAX_REASON_CHARACTERS} are possible`);
  if (/[\u0000-\u001f\u007f-\u009f]/.test(text)) throw usage('--reason has a line end or another control character');
  return { reason: text };
}

/** A duration flag within bounds in milliseconds; `undefined` if it is not set. Fails with exit 2. */
export function boundedMs(
  flag: string,
  text: string | undefined,
  { min = 0, max = MAX_WISH_MS }: { readonly min?: number; readonly max?: number } = {},
): number | undefined {
  return durationFlag(flag, text, { minMs: min, maxMs: max });
}

/** `--timeout` of a command that waits with `--wait` only. Fails with exit 2 without it. */
export function waitTimeoutMs({
  wait,
  timeout,
}: {
  readonly wait?: boolean;
  readonly timeout?: string;
}): number | undefined {
  if (timeout !== undefined && !wait) throw usage('--timeout needs --wait, whose time it limits');
  return boundedMs('--timeout', timeout);
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
