/** Durations as users write them: in flags, environment variables, settings files and `balancer NAME set`. */
import { CliFailure, EXIT } from './exit.ts';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DAY_MS = UNIT_MS.d;

/** Follows what the user wrote in a refusal. */
export const NOT_A_DURATION = 'is not a duration with a unit (ms, s, m, h, d) like 30s';

export interface DurationBounds {
  /** Milliseconds, default 0. */
  readonly minMs?: number;
  /** Milliseconds, default 24 hours. */
  readonly maxMs?: number;
}

/**
 * Milliseconds that `text` says: one or more numbers with a unit (`500ms`, `30s`, `15m`, `1h30m`, `2d`), or `0`.
 * `undefined` for anything else; a number without a unit would be seconds for some users and milliseconds for others.
 */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  }
  return Math.round(totalMs);
}

/** Milliseconds of `text`. Throws a usage failure that names `label`, the units and the bounds for anything else. */
export function durationFrom(label: string, text: string, { minMs = 0, maxMs = DAY_MS }: DurationBounds = {}): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
  const bounds = `from ${durationText(minMs)} to ${durationText(maxMs)}`;
  throw new CliFailure(`${label} ${JSON.stringify(text)} ${NOT_A_DURATION}, ${bounds}`, EXIT.usage);
}

/** In the largest unit that divides it: `90s`, `24h`, `0s`. */
export function durationText(ms: number): string {
  if (ms === 0) return '0s';
  if (ms === DAY_MS) return '24h';
  const [unit, unitMs] = Object.entries(UNIT_MS).findLast(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / unitMs}${unit}`;
}
