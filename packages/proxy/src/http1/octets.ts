/** Classes of octets, RFC 9110 §5.5 and §5.6.2, and the functions of the head parsers that use them, one octet at a time. */

const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** 1 where the octet may stand in a token. */
const IS_TOKEN: Uint8Array = new Uint8Array(256);
for (const character of TOKEN_CHARACTERS) IS_TOKEN[character.charCodeAt(0)] = 1;

/** Visible ASCII (RFC 9112 §3.2) without `#`, which no target contains, and `\\`, which some receivers treat as a slash. */
const IS_TARGET: Uint8Array = new Uint8Array(256).fill(1, 0x21, 0x7f);
for (const refused of '#\\') IS_TARGET[refused.charCodeAt(0)] = 0;

/** RFC 9110 §5.5: tab, space, visible ASCII and all octets above it. No control characters, CR and LF included. */
const IS_VALUE: Uint8Array = new Uint8Array(256).fill(1, 0x20).fill(1, 0x09, 0x0a).fill(0, 0x7f, 0x80);

/** ASCII letters in lower case, all other octets unchanged. */
const LOWER: Uint8Array = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet,
);

/** True if the octet is allowed in a token. */
export function isTokenUnit(unit: number): boolean {
  return IS_TOKEN[unit] === 1;
}

/** True if `text[start, end)` is a token: one or more token characters. */
export function isToken(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (IS_TOKEN[text.charCodeAt(i)] !== 1) return false;
  return end > start;
}

// The octets behind a head's last line are CR and LF. They are in none of the classes, so each of these functions ends there.

/** Where the token that begins at `start` ends. */
export function tokenEnd(octets: Uint8Array, start: number): number {
  let at = start;
  while (IS_TOKEN[octets[at]!] === 1) at++;
  return at;
}

/** Where the request target that begins at `start` ends. */
export function targetEnd(octets: Uint8Array, start: number): number {
  let at = start;
  while (IS_TARGET[octets[at]!] === 1) at++;
  return at;
}

/** Where the field value that begins at `start` ends, white space included. */
export function valueEnd(octets: Uint8Array, start: number): number {
  let at = start;
  while (IS_VALUE[octets[at]!] === 1) at++;
  return at;
}

/** RFC 9112 §2.2: a line ends with CR LF. One of them alone could be read in two ways. */
export function isLineEnd(octets: Uint8Array, at: number): boolean {
  return octets[at] === 0x0d && octets[at + 1] === 0x0a;
}

/** True if the octets from `start` are `lower`, ASCII letters in any case. */
export function equalsIgnoringCase(octets: Uint8Array, start: number, lower: Uint8Array): boolean {
  for (let i = 0; i < lower.length; i++) if (LOWER[octets[start + i]!] !== lower[i]) return false;
  return true;
}

/** `octets[start, end)` as text, one character for each. */
export function latin1(octets: Buffer, start: number, end: number): string {
  return octets.toString('latin1', start, end);
}

/** True if the octets from `at` are `HTTP/1.`. */
export function isVersion1(octets: Uint8Array, at: number): boolean {
  return (
    octets[at] === 0x48 &&
    octets[at + 1] === 0x54 &&
    octets[at + 2] === 0x54 &&
    octets[at + 3] === 0x50 &&
    octets[at + 4] === 0x2f &&
    octets[at + 5] === 0x31 &&
    octets[at + 6] === 0x2e
  );
}

/** The octets of an ASCII text. */
export function asciiOctets(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Optional white space, RFC 9110 §5.6.3. */
export function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}
