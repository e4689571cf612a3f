/** Durations as text: parsing of user input, and formats for people. */

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DAY_MS = UNIT_MS.d;

/**
 * Parses one or more numbers with a unit (`500ms`, `30s`, `15m`, `1h30m`, `2d`), or `0`, to milliseconds. `undefined` for any
 * other text. A number without a unit is refused, because it is ambiguous between seconds and milliseconds.
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

/**
 * Formats a configured duration, which is never rounded, in the largest unit that divides it, as `parseDuration` accepts it: `90s`, `1500ms`,
 * `24h`, `0s`.
 */
export function durationText(exactMs: number): string {
  const ms = Math.round(exactMs);
  if (ms === 0) return '0s';
  if (ms === DAY_MS) return '24h';
  const [unit, unitMs] = Object.entries(UNIT_MS).findLast(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / unitMs}${unit}`;
}

/** Compact, rounded format of elapsed and remaining times: `850ms`, `12s`, `4m10s`, `2h05m`, `3d4h`. Settings: `durationText`. */
export function compactDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${pad(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours}h${pad(minutes % 60)}m` : `${Math.floor(hours / 24)}d${hours % 24}h`;
}

/** Format of milliseconds for sentences; below 10 s with a precision of 0.1 s: `3.3 s`, `12 s`. */
export function inSeconds(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
}

/** Format of milliseconds for ages in sentences, rounded down: `3 s`, `5 min`, `2 h`. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
