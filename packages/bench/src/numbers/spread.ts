/** Aggregates the rounds of one measurement. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median, minimum and maximum of `values` without NaN; `undefined` if empty. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((one, other) => one - other);
  if (sorted.length === 0) return undefined;
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/**
 * Spread of `values[i] / reference[i]`. Each round is divided by the reference of the same round, because the speed of the machine may
 * change between rounds. Rounds that one side lacks are ignored.
 */
export function ratioSpread(values: readonly number[], reference: readonly number[]): Spread | undefined {
  const rounds = Math.min(values.length, reference.length);
  const ratios: number[] = [];
  for (let i = 0; i < rounds; i++) if (reference[i]! > 0) ratios.push(values[i]! / reference[i]!);
  return spreadOf(ratios);
}
