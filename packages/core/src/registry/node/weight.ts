import type { Fault } from '@rollcall/protocol';

const MIN_WEIGHT = 0.001;
const MAX_WEIGHT = 100;

/** Why a node may not have this `weight`; `undefined` when it may. */
export function weightFault(weight: number): Fault | undefined {
  if (weight >= MIN_WEIGHT && weight <= MAX_WEIGHT) return undefined;
  return { code: 'bad-field', message: `weight is ${weight}, not within ${MIN_WEIGHT} to ${MAX_WEIGHT}` };
}
