/** A horizontal bar of `cells` characters that is filled to `ratio` (0 … 1). Any value above 0 fills at least one cell. */
export function bar(ratio: number, cells: number): string {
  const full = Math.min(cells, ratio > 0 ? Math.max(1, Math.round(ratio * cells)) : 0);
  return '▆'.repeat(full) + '▁'.repeat(cells - full);
}
