/**
 * The datagrams by which nodes of mod_cluster find a proxy, as mod_advertise sends them. The digest protects no more than date, sequence
 * and server: another sender can repeat it with another address.
 */

/** 200: the proxy serves. 403 and 410: it ends. */
export type AdvertisedState = 200 | 403 | 410;

const WORDS: Readonly<Record<AdvertisedState, string>> = { 200: 'OK', 403: 'Forbidden', 410: 'Gone' };
/** The Java listener reads no more. */
export const MAX_DATAGRAM_BYTES = 512;

export interface Advertisement {
  readonly state: AdvertisedState;
  /** As in HTTP: `Mon, 30 Nov 2026 21:02:11 GMT`. */
  readonly date: string;
  /** From 1. */
  readonly sequence: number;
  /** Identifies this start, a UUID. */
  readonly server: string;
  readonly manager: {
    /** `HOST:PORT` of the MCMP listener. */
    readonly address: string;
    readonly protocol: 'http' | 'https';
    /** Name of this machine, for people. */
    readonly host: string;
  };
}

/** `salt`: 16 octets, see `saltOf`. `md5`: the digest of RFC 1321. */
export function datagram(
  { state, date, sequence, server, manager }: Advertisement,
  salt: Uint8Array,
  md5: (octets: Uint8Array) => Uint8Array,
): string {
  const digest = md5(joined(salt, octetsOf(`${date}${sequence}${server}`)));
  const head = [
    `HTTP/1.0 ${state} ${WORDS[state]}`,
    `Date: ${date}`,
    `Sequence: ${sequence}`,
    `Digest: ${hexOf(digest)}`,
    `Server: ${server}`,
  ];
  if (state !== 200) return textOf(head);
  const place = [
    `X-Manager-Address: ${manager.address}`,
    `X-Manager-Url: /${server}`,
    `X-Manager-Protocol: ${manager.protocol}`,
  ];
  const whole = textOf([...head, ...place, `X-Manager-Host: ${manager.host}`]);
  return whole.length <= MAX_DATAGRAM_BYTES ? whole : textOf([...head, ...place]);
}

/** The salt of a shared key; without a key zeros. */
export function saltOf(key: string | undefined, md5: (octets: Uint8Array) => Uint8Array): Uint8Array {
  return key === undefined ? new Uint8Array(16) : md5(octetsOf(key));
}

function textOf(lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function octetsOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}

function hexOf(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('');
}
