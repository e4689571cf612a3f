/** Formats numbers. */
import type { Spread } from '../numbers/spread.ts';

/** Text of a missing figure. */
export const ABSENT = '–';

/** A multiple with two decimals, one from ten on. */
export function multiple(ratio: number | undefined): string {
  if (ratio === undefined || !Number.isFinite(ratio)) return ABSENT;
  return ratio.toFixed(ratio < 10 ? 2 : 1);
}

/** `1.18 (1.15–1.22)`: median (minimum–maximum); without parentheses for one round. */
export function multipleWithSpread(spread: Spread | undefined): string {
  if (spread === undefined) return ABSENT;
  const [median, min, max] = [spread.median, spread.min, spread.max].map(multiple);
  return min === max ? median! : `${median} (${min}–${max})`;
}

/** A number with `decimals`, or a dash if missing. */
export function figure(value: number | undefined, decimals: number): string {
  return value === undefined || !Number.isFinite(value) ? ABSENT : value.toFixed(decimals);
}

export function mebibytes(octets: number | undefined): string {
  return figure(octets === undefined ? undefined : octets / 2 ** 20, 0);
}

/** `12 minutes`, `40 seconds`. */
export function roughly(ms: number): string {
  const seconds = Math.ceil(ms / 10_000) * 10;
  return seconds < 100 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
}
