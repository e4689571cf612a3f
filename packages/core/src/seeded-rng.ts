import type { Rng } from './rng.ts';

/**
 * Uniform random numbers in [0, 1) that are the same for the same seed: for simulations, measurements and tests. Not for secrets.
 *
 * @see Bob Jenkins, "A small noncryptographic PRNG" (2007), the 32-bit one with three rotations.
 */
export function seededRng(seed: number): Rng {
  let a = 0xf1ea5eed;
  let b = seed >>> 0;
  let c = b;
  let d = b;
  const next = (): number => {
    const e = (a - rotated(b, 23)) >>> 0;
    a = (b ^ rotated(c, 16)) >>> 0;
    b = (c + rotated(d, 11)) >>> 0;
    c = (d + e) >>> 0;
    d = (e + a) >>> 0;
    return d / 4_294_967_296;
  };
  for (let i = 0; i < 20; i++) next();
  return next;
}

function rotated(word: number, by: number): number {
  return ((word << by) | (word >>> (32 - by))) >>> 0;
}
