import type { Spread } from './spread.ts';

/** `unclear`: too few rounds to distinguish a difference from noise. */
export type Verdict = 'faster' | 'slower' | 'same' | 'unclear';

/** Minimum number of rounds. With six rounds, the probability of equal signs by chance is 1/32. */
const MIN_ROUNDS = 6;
/** Medians closer to 1 than this are equal, whatever the rounds. */
const LEAST_DIFFERENCE = 0.02;

/** Compares the costs of two sides, given as ratios. A difference counts if every round shows it. */
export function verdictOf(ratio: Spread, rounds: number): Verdict {
  if (rounds < MIN_ROUNDS) return 'unclear';
  if (ratio.max < 1 && ratio.median <= 1 - LEAST_DIFFERENCE) return 'faster';
  if (ratio.min > 1 && ratio.median >= 1 + LEAST_DIFFERENCE) return 'slower';
  return 'same';
}
