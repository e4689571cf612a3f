/** The algorithms by name, and the defaults. */
import { adaptive } from './adaptive.ts';
import type { AlgorithmFactory } from './algorithm.ts';
import { leastConnections } from './least-connections.ts';
import { modcluster } from './modcluster.ts';
import { powerOfTwo } from './power-of-two.ts';
import { roundRobin } from './round-robin.ts';
import { session } from './session.ts';

/** Algorithms by their names in settings. */
export const ALGORITHMS: Readonly<Record<AlgorithmName, AlgorithmFactory>> = {
  adaptive,
  session,
  'round-robin': roundRobin,
  'least-connections': leastConnections,
  'power-of-two': powerOfTwo,
  modcluster,
};

export type AlgorithmName =
  | 'adaptive'
  | 'session'
  | 'round-robin'
  | 'least-connections'
  | 'power-of-two'
  | 'modcluster';

/** For requests without a session. */
export const DEFAULT_ALGORITHM: AlgorithmName = 'adaptive';
/** For new sessions. */
export const DEFAULT_SESSION_ALGORITHM: AlgorithmName = 'session';

export function isAlgorithmName(text: string): text is AlgorithmName {
  return Object.hasOwn(ALGORITHMS, text);
}
