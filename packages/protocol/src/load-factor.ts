/**
 * The load factor people see: 0–100, higher is freer, 0 is standby; mod_cluster's published scale.
 *
 * A node that is not on standby has at least 1, however busy. Unknown load counts as half.
 */
export function loadFactor(load: number | undefined, isStandby: boolean): number {
  if (isStandby) return 0;
  if (load === undefined) return 50;
  return Math.min(100, Math.max(1, Math.round(100 * (1 - load))));
}
