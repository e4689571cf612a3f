import type { Spread } from './spread.ts';

/** `unclear`: too few rounds to tell a difference from chance. */
export type Verdict = 'faster' | 'slower' | 'same' | 'unclear';

/** With fewer rounds all of them may lie on one side by chance: with six that happens once in 32 times. */
const MIN_ROUNDS = 6;
/** Medians nearer to 1 than this are the same whatever the rounds say. */
const LEAST_DIFFERENCE = 0.02;

/** Judges the cost of one side as a multiple of the other's: a difference counts when every single round shows it. */
export function verdictOf(ratio: Spread, rounds: number): Verdict {
  if (rounds < MIN_ROUNDS) return 'unclear';
  if (ratio.max < 1 && ratio.median <= 1 - LEAST_DIFFERENCE) return 'faster';
  if (ratio.min > 1 && ratio.median >= 1 + LEAST_DIFFERENCE) return 'slower';
  return 'same';
}
