/** The close frames that the proxy itself sends on a WebSocket (RFC 6455 §5.5.1). */

/** Reason of a close: 1001, node or proxy is going away; 1012, the proxy is restarted and its successor serves already. */
export type CloseCode = 1001 | 1012;

/** When tunnels end, and the code that both sides get. */
export interface TunnelsEnd {
  /** Instant on the engine's clock. */
  readonly endMs: number;
  readonly code: CloseCode;
}

/** To clients: without a mask. */
export function closeFrame(code: CloseCode): Buffer {
  return Buffer.from([0x88, 2, code >> 8, code & 0xff]);
}

/** To nodes: masked with `mask`, 4 octets (§5.3). */
export function maskedCloseFrame(code: CloseCode, mask: Uint8Array): Buffer {
  const [first = 0, second = 0, third = 0, fourth = 0] = mask;
  return Buffer.from([0x88, 0x82, first, second, third, fourth, (code >> 8) ^ first, (code & 0xff) ^ second]);
}
