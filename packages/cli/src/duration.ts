/** Validation of durations that users write: in flags, environment variables, settings files and `balancer NAME set`. */
import { durationText, parseDuration } from '@rollcall/protocol';
import { CliFailure, EXIT } from './exit.ts';

const DAY_MS = 86_400_000;

/** End of an error message, after the text of the user. */
export const NOT_A_DURATION = 'is not a duration with a unit (ms, s, m, h, d) like 30s';

export interface DurationBounds {
  /** Milliseconds, default 0. */
  readonly minMs?: number;
  /** Milliseconds, default 24 hours. */
  readonly maxMs?: number;
}

/** Milliseconds of `text`. Throws a usage failure that names `label`, the units and the bounds for anything else. */
export function durationFrom(label: string, text: string, { minMs = 0, maxMs = DAY_MS }: DurationBounds = {}): number {
  const ms = signedDuration(text);
  if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
  const bounds = `from ${durationText(minMs)} to ${durationText(maxMs)}`;
  const fault =
    ms === undefined
      ? `${NOT_A_DURATION}, ${bounds}`
      : `is too ${ms < minMs ? 'short' : 'long'}: write a duration ${bounds}`;
  throw new CliFailure(`${label} ${JSON.stringify(text)} ${fault}`, EXIT.usage);
}

/** Milliseconds of a duration, also of a negative one, which is out of every range; `undefined` for other texts. */
export function signedDuration(text: string): number | undefined {
  const ms = parseDuration(text.replace(/^-/, ''));
  return ms !== undefined && text.startsWith('-') ? -ms : ms;
}

/** The same for a flag; `undefined` if it is not set. */
export function durationFlag(flag: string, text: string | undefined, bounds?: DurationBounds): number | undefined {
  return text === undefined ? undefined : durationFrom(flag, text, bounds);
}
