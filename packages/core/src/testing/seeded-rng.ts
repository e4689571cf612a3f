import type { Rng } from '../rng.ts';

/**
 * Random numbers that are the same for the same seed, uniform in [0, 1).
 *
 * @see Sebastiano Vigna, splitmix64, here with 32-bit words; constants from Chris Wellons' prospecting for hash functions.
 */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let word = state;
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return ((word ^ (word >>> 15)) >>> 0) / 4_294_967_296;
  };
}
