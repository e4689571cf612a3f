/** Monotonic milliseconds that all processes of one machine have in common: neither starts nor corrected clocks move them. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
