/** Character classes of RFC 9110 §5.6.2 and small comparisons on text that stands for octets (latin1). */

const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** 1 where the octet may stand in a token. */
const IS_TOKEN: Uint8Array = new Uint8Array(256);
for (const character of TOKEN_CHARACTERS) IS_TOKEN[character.charCodeAt(0)] = 1;

/** True when the octet may stand in a token. */
export function isTokenUnit(unit: number): boolean {
  return IS_TOKEN[unit] === 1;
}

/** True when `text[start, end)` is a token: one or more token characters. */
export function isToken(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (IS_TOKEN[text.charCodeAt(i)] !== 1) return false;
  return end > start;
}

/** Where the token that begins at `start` ends. */
export function tokenEnd(text: string, start: number, end: number): number {
  let at = start;
  while (at < end && IS_TOKEN[text.charCodeAt(at)] === 1) at++;
  return at;
}

/** True when `text[start, start + lower.length)` equals `lower`, ASCII letters in any case. `lower` is a lower-case token. */
export function equalsIgnoringCase(text: string, start: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i++) {
    const unit = text.charCodeAt(start + i);
    const wanted = lower.charCodeAt(i);
    if (unit !== wanted && !(unit >= 0x41 && unit <= 0x5a && unit + 0x20 === wanted)) return false;
  }
  return true;
}

/** Optional white space, RFC 9110 §5.6.3. */
export function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}
