/** Formats numbers for display. */

interface Sessions {
  readonly sessions: number;
  readonly sessionsSeenOnce: number;
}

/** A ratio as a whole percentage: 0.421 is `42 %`. */
export function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}

/** A number with few digits: two decimals below 100, none up to 1e6, then an exponent. */
export function amount(value: number): string {
  if (Math.abs(value) >= 1e6) return value.toExponential(1).replace('e+', 'e');
  return String(Math.abs(value) < 100 ? Math.round(value * 100) / 100 : Math.round(value));
}

/** `3 sessions`, `3 sessions + 2 seen once`. */
export function sessionsText({ sessions, sessionsSeenOnce }: Sessions): string {
  return `${sessions} sessions${seenOnceText(sessionsSeenOnce)}`;
}

/** Text after a number of sessions; empty without sessions seen once. */
export function seenOnceText(sessionsSeenOnce: number): string {
  return sessionsSeenOnce === 0 ? '' : ` + ${sessionsSeenOnce} seen once`;
}

/** A number of bytes with a binary unit: `1.5 MiB`. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = count;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
