/** The question and the answer that show that a node over AJP/1.3 is alive. All that probes need of the protocol. */

/** CPING of a proxy. */
export const AJP_CPING: Uint8Array = Uint8Array.of(0x12, 0x34, 0, 1, 10);
/** CPONG of a node. */
export const AJP_CPONG: Uint8Array = Uint8Array.of(0x41, 0x42, 0, 1, 9);

/** Whether the octets that a node has sent so far are CPONG; `undefined` while they may become it. */
export function isAjpPong(octets: Uint8Array): boolean | undefined {
  const known = Math.min(octets.length, AJP_CPONG.length);
  for (let i = 0; i < known; i++) if (octets[i] !== AJP_CPONG[i]) return false;
  return known === AJP_CPONG.length ? true : undefined;
}
