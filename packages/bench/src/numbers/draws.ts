/** Random numbers that a seed repeats, and what is drawn with them. */

/** Uniform in [0, 1). */
export type Draw = () => number;

/** The same seed gives the same numbers. @see mulberry32 (Tommy Ettinger, public domain) */
export function seededDraw(seed: number): Draw {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Gaps between users who know nothing of each other. */
export function exponential(draw: Draw, mean: number): number {
  return -Math.log(1 - draw()) * mean;
}

/** `variation`: standard deviation by mean. */
export function lognormal(draw: Draw, mean: number, variation: number): number {
  const variance = Math.log(1 + variation * variation);
  return mean * Math.exp(Math.sqrt(variance) * normal(draw) - variance / 2);
}

/** A few large ones among many small ones: from x to `span` times x, with the given mean. `shape` above 1; larger is tamer. */
export function boundedPareto(draw: Draw, mean: number, shape: number, span: number): number {
  const cut = 1 - span ** -shape;
  const meanOfOne = (shape / (shape - 1)) * ((1 - span ** (1 - shape)) / cut);
  return (mean / meanOfOne) * (1 - draw() * cut) ** (-1 / shape);
}

/** Of mean 0 and deviation 1. @see Box and Muller, "A Note on the Generation of Random Normal Deviates" (1958) */
function normal(draw: Draw): number {
  return Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
}
