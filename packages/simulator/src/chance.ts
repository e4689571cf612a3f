/** Random variables, each a function of uniform numbers. Their means are exact, so that the utilisation of a scenario is exact. */
import type { Rng } from '@rollcall/core';
import type { Work } from './scenario.ts';

export type Draw = () => number;

export function exponential(mean: number, rng: Rng): Draw {
  return () => -mean * Math.log(1 - rng());
}

/** Lognormal values. `mean` and `variation` (coefficient of variation) are those of the value, not of its logarithm. */
export function lognormal(mean: number, variation: number, rng: Rng): Draw {
  const sigmaSquared = Math.log(1 + variation * variation);
  const mu = Math.log(mean) - sigmaSquared / 2;
  const sigma = Math.sqrt(sigmaSquared);
  return () => Math.exp(mu + sigma * normal(rng));
}

/** Bounded Pareto values with this shape and mean. The largest value is `span` times the smallest. */
export function boundedPareto(mean: number, shape: number, span: number, rng: Rng): Draw {
  const cut = 1 - span ** -shape;
  const unscaledMean = shape === 1 ? Math.log(span) / cut : ((shape / (shape - 1)) * (1 - span ** (1 - shape))) / cut;
  const smallest = mean / unscaledMean;
  return () => smallest * (1 - rng() * cut) ** (-1 / shape);
}

export function constant(value: number): Draw {
  return () => value;
}

/** The work of requests of a scenario, milliseconds at speed 1. */
export function workDraw(work: Work, rng: Rng): Draw {
  switch (work.kind) {
    case 'constant':
      return constant(work.meanMs);
    case 'exponential':
      return exponential(work.meanMs, rng);
    case 'lognormal':
      return lognormal(work.meanMs, work.variation, rng);
    case 'pareto':
      return boundedPareto(work.meanMs, work.shape, work.span, rng);
  }
}

/** A standard normal value by Box and Muller (1958). The second value is dropped, so that each draw uses two numbers of `rng`. */
function normal(rng: Rng): number {
  return Math.sqrt(-2 * Math.log(1 - rng())) * Math.cos(2 * Math.PI * rng());
}
