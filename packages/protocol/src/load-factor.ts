/**
 * Load factor for people, on the scale of mod_cluster: 0–100, higher is freer, 0 is standby.
 *
 * A node that is not on standby has at least 1, even at full load. Unknown load (`undefined`) gives 50.
 */
export function loadFactor(load: number | undefined, isStandby: boolean): number {
  if (isStandby) return 0;
  if (load === undefined) return 50;
  return Math.min(100, Math.max(1, Math.round(100 * (1 - load))));
}
