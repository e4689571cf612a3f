/**
 * 32-bit hash of `text`, spread over all bits. `seed` makes it unpredictable where a client chooses the text; with the
 * same seed every worker gets the same number. Not for secrets.
 *
 * @see FNV-1a for the loop, MurmurHash3's 32-bit finaliser for the spread; both public domain descriptions.
 */
export function hashText(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) | 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixBits(hash);
}

/** Spreads the bits of a 32-bit number over all of them; one-to-one. */
export function mixBits(bits: number): number {
  let hash = bits;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
