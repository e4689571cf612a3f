/**
 * Packets of AJP/1.3, the binary protocol between a web server and a servlet container. Each packet has a magic, a length of two octets,
 * and a payload. All numbers are big-endian.
 */

/** Magic, then the length of the payload. */
export const HEADER_BYTES = 4;
/** Largest size of a packet with its header that a node can be set to. */
export const MAX_PACKET_BYTES = 65_536;
/** Header of a packet with body octets, and their length. */
const BODY_OVERHEAD = HEADER_BYTES + 2;

/** Ends the body of a request. */
export const END_OF_BODY: Buffer = Buffer.from([0x12, 0x34, 0, 0]);

/** Largest number of body octets in one packet. The length of the payload has 16 bits. */
export function maxBodyBytes(packetBytes: number): number {
  return Math.min(packetBytes, 0xffff) - BODY_OVERHEAD;
}

/** Size of a packet with `bytes` body octets. */
export function bodyPacketBytes(bytes: number): number {
  return BODY_OVERHEAD + bytes;
}

/** Writes the part of a body packet before its octets. Returns where the octets begin. */
export function writeBodyStart(packet: Buffer, bytes: number): number {
  packet.writeUInt16BE(0x1234, 0);
  packet.writeUInt16BE(bytes + 2, 2);
  packet.writeUInt16BE(bytes, 4);
  return BODY_OVERHEAD;
}

const CR = 0x0d;

/**
 * The data within `octets`, which are one chunk of the proxy's own chunked coding (`RequestBody`) or the last chunk. AJP has a framing of
 * its own.
 */
export function chunkData(octets: Uint8Array): { readonly start: number; readonly end: number } {
  let size = 0;
  let at = 0;
  for (; at < octets.length && octets[at] !== CR; at++) size = size * 16 + hexDigit(octets[at]!);
  const start = Math.min(at + 2, octets.length);
  return { start, end: Math.min(start + size, octets.length) };
}

function hexDigit(octet: number): number {
  return octet <= 0x39 ? octet - 0x30 : (octet | 0x20) - 0x57;
}
