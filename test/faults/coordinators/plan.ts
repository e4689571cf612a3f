/** A drill of two coordinators, as data. */
import type { CoordinatorFault } from './fault.ts';
import type { Pair, PairPlan } from './pair.ts';
import type { OperatorRequest } from './requests.ts';

/** When faults begin, from the start of the schedule. */
export const FAULT_MS = 5_000;

/** What must be so at one time between two instants of the drill. */
export interface Check {
  readonly fromMs: number;
  readonly untilMs: number;
  /** What is wrong now, one sentence each. */
  readonly find: (pair: Pair) => Promise<readonly string[]>;
}

export interface CoordinatorDrill extends Partial<PairPlan> {
  readonly name: string;
  readonly faults: readonly CoordinatorFault[];
  /** Default `REQUESTS`. */
  readonly requests?: readonly OperatorRequest[];
  /** Length of the schedule of the clients. */
  readonly lengthMs: number;
  /** Part of the error by which the first coordinator names the state of Redis during the fault. */
  readonly names?: RegExp;
  /** Clients take each proxy as one of two addresses: they repeat refused connects at the other. */
  readonly repeatsRefused?: true;
  readonly checks?: readonly Check[];
  /** The wall clock of the first coordinator is changed by libfaketime. */
  readonly needsFakeClock?: true;
  /** The drill breaks the promise, and must report it. */
  readonly isNegativeControl?: true;
  /** Played by `.ci/run`, too. */
  readonly isShort?: true;
}
