/**
 * Load factor for people, on the scale of mod_cluster: 0–100, higher is freer, 0 is standby.
 *
 * A node that is not on standby has at least 1, even at full load. `undefined` while its load is unknown.
 */
export function loadFactor(load: number | undefined, isStandby: boolean): number | undefined {
  if (isStandby) return 0;
  return load === undefined ? undefined : Math.min(100, Math.max(1, Math.round(100 * (1 - load))));
}
