/** Monotonic milliseconds, the same for all processes of a machine; independent of process starts and clock corrections. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
