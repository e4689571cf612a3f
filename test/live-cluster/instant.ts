/**
 * Milliseconds on this machine's monotonic clock. All processes of one host read the same line, so instants of
 * client, nodes and test can be compared.
 */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A wall clock instant of now or a moment ago, Unix milliseconds, on the line of `nowMs`. */
export function fromUnixMs(unixMs: number): number {
  return unixMs - Date.now() + nowMs();
}
