/**
 * Reads the header of the PROXY protocol, versions 1 and 2, before the first octet of a connection (HAProxy, doc/proxy-protocol.txt).
 * Stricter than the text where it leaves a choice.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { canonicalAddress } from './forwarded-field.ts';

/** Longest header of version 1 with its CR LF, octets. */
const MAX_TEXT_BYTES = 107;
/** Fixed part of version 2, octets. */
const FIXED_BYTES = 16;
/** Longest part behind it, addresses and TLVs, octets. */
const MAX_BLOCK_BYTES = 4_096;

/** A complete header. */
export interface ProxyHeader {
  /** The client; `''` if the sender names none (LOCAL, UNKNOWN, other address families): the peer itself counts. */
  readonly address: string;
  /** Octets of the header. */
  readonly length: number;
}

/** `undefined`: octets are missing. A text: the octets are no header, and why. */
export type ProxyHeaderResult = ProxyHeader | string | undefined;

const TEXT_START = Buffer.from('PROXY ');
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** Reads the header that `octets` begin with. */
export function readProxyHeader(octets: Buffer): ProxyHeaderResult {
  if (begins(octets, SIGNATURE)) return octets.length < FIXED_BYTES ? undefined : readBinary(octets);
  if (begins(octets, TEXT_START)) return readText(octets);
  return 'the connection does not begin with a PROXY header';
}

/** True if both have the same octets, as far as both go. */
function begins(octets: Buffer, expected: Buffer): boolean {
  const length = Math.min(octets.length, expected.length);
  return octets.compare(expected, 0, length, 0, length) === 0;
}

const TEXT = /^PROXY (?:UNKNOWN(?: .*)?|(?:TCP4|TCP6) (\S+) (\S+) (\d{1,5}) (\d{1,5}))$/;

function readText(octets: Buffer): ProxyHeaderResult {
  const end = octets.subarray(0, MAX_TEXT_BYTES).indexOf('\n');
  if (end < 0)
    return octets.length < MAX_TEXT_BYTES ? undefined : `version 1 without an end in ${MAX_TEXT_BYTES} octets`;
  const line = octets.toString('latin1', 0, end - 1);
  const match = TEXT.exec(line);
  if (octets[end - 1] !== 0x0d || match === null) return 'version 1 with a malformed line';
  const [, source, target, ...ports] = match;
  if (source === undefined || target === undefined) return { address: '', length: end + 1 };
  const isAddress = line.startsWith('PROXY TCP4') ? isIPv4 : (text: string) => isIPv6(text) && !text.includes('%');
  if (!isAddress(source) || !isAddress(target) || !ports.every(isPort))
    return 'version 1 with an invalid address or port';
  return { address: canonicalAddress(source), length: end + 1 };
}

/** Leading zeros are not permitted. */
function isPort(text: string): boolean {
  return String(Number(text)) === text && Number(text) <= 65_535;
}

const LOCAL = 0;
const PROXY = 1;

/** Address families with their transport, and the octets of their addresses. */
const FAMILIES: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x12, 12],
  [0x21, 36],
  [0x22, 36],
  [0x31, 216],
  [0x32, 216],
]);

function readBinary(octets: Buffer): ProxyHeaderResult {
  const versionAndCommand = octets[12]!;
  const command = versionAndCommand & 0x0f;
  if (versionAndCommand >> 4 !== 2 || command > PROXY) return 'version 2 with an unknown version or command';
  const blockLength = octets.readUInt16BE(14);
  if (blockLength > MAX_BLOCK_BYTES) return `version 2 with more than ${MAX_BLOCK_BYTES} octets of addresses and TLVs`;
  const family = octets[13]!;
  const addressBytes = command === LOCAL ? 0 : FAMILIES.get(family);
  if (addressBytes === undefined) return 'version 2 with an unknown address family or transport';
  if (addressBytes > blockLength) return 'version 2 that is too short for its addresses';
  const length = FIXED_BYTES + blockLength;
  if (octets.length < length) return undefined;
  return { address: command === LOCAL ? '' : sourceOf(octets, family >> 4), length };
}

/** The first address behind the fixed part; `''` for families without IP addresses. */
function sourceOf(octets: Buffer, family: number): string {
  const at = FIXED_BYTES;
  if (family === 1) return octets.subarray(at, at + 4).join('.');
  if (family !== 2) return '';
  const groups = Array.from({ length: 8 }, (_, i) => octets.readUInt16BE(at + 2 * i).toString(16));
  return canonicalAddress(groups.join(':'));
}
