/** Flags of the verbs whose bounds are the admin API's: a mistake is found before anything is sent. */
import { MAX_REASON_CHARACTERS, MAX_WISH_MS } from '@rollcall/protocol';
import { durationFrom } from '../duration.ts';
import { CliFailure, EXIT } from '../exit.ts';

/** `{ reason }`, or nothing when there is none. Fails with exit 2 for one that the audit does not take. */
export function reasonOf(text: string | undefined): { readonly reason?: string } {
  if (text === undefined) return {};
  if (text.length > MAX_REASON_CHARACTERS)
    throw usage(`--reason has ${text.length} characters; at most ${MAX_REASON_CHARACTERS} are possible`);
  if (/[\u0000-\u001f\u007f-\u009f]/.test(text)) throw usage('--reason has a line end or another control character');
  return { reason: text };
}

/** Milliseconds of a duration flag within bounds; `undefined` when it was not given. Fails with exit 2. */
export function boundedMs(
  flag: string,
  text: string | undefined,
  { min = 0, max = MAX_WISH_MS }: { readonly min?: number; readonly max?: number } = {},
): number | undefined {
  return text === undefined ? undefined : durationFrom(flag, text, { minMs: min, maxMs: max });
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
