/** Figures of the tables: short, and with the same number of digits where they change. */

/** Requests per second: `0`, `0.4`, `55`, `1.2k`. */
export function rateText(perSecond: number): string {
  if (perSecond === 0) return '0';
  if (perSecond < 0.1) return '<0.1';
  if (perSecond < 9.95) return perSecond.toFixed(1);
  return perSecond < 999.5 ? perSecond.toFixed(0) : `${(perSecond / 1_000).toFixed(1)}k`;
}

/** Errors as a percentage of requests: `0 %`, `0.3 %`, `60 %`; `–` without requests. */
export function errorText(rates: { readonly requestsPerSecond: number; readonly errorsPerSecond: number }): string {
  const ratio = errorRatio(rates);
  if (ratio === undefined) return '–';
  const percent = ratio * 100;
  if (percent === 0) return '0 %';
  if (percent < 0.1) return '<0.1 %';
  return `${percent < 9.95 ? percent.toFixed(1) : percent.toFixed(0)} %`;
}

/** 0 … 1, or `undefined` without requests. */
export function errorRatio({
  requestsPerSecond,
  errorsPerSecond,
}: {
  readonly requestsPerSecond: number;
  readonly errorsPerSecond: number;
}): number | undefined {
  if (requestsPerSecond <= 0) return errorsPerSecond > 0 ? 1 : undefined;
  return Math.min(1, errorsPerSecond / requestsPerSecond);
}

/** A latency: `3.2 ms`, `45 ms`, `1.2 s`; `–` when unknown. */
export function latencyText(ms: number | undefined): string {
  if (ms === undefined || ms < 0) return '–';
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  return ms < 999.5 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** A count with a thin group separator: `1 234`. */
export function countText(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(?:\d{3})+$)/g, '\u202f');
}

/** `1 node`, `2 nodes`. */
export function plural(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`;
}
