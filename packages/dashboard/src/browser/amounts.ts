/** Numbers for people. */

export function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}

/** A number as short as it still says something. */
export function amount(value: number): string {
  if (Math.abs(value) >= 1e6) return value.toExponential(1).replace('e+', 'e');
  return String(Math.abs(value) < 100 ? Math.round(value * 100) / 100 : Math.round(value));
}

/** A count of bytes for people. */
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
