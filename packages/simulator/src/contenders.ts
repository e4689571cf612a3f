/** All contenders, by name. */
import { ALGORITHMS } from '@rollcall/core';
import {
  c3,
  joinShortestQueue,
  leastBacklog,
  leastTime,
  peakEwma,
  random,
  weightedRoundRobin,
} from './anchors/anchors.ts';
import { heartbeat } from './anchors/heartbeat.ts';
import { prequal } from './anchors/prequal.ts';
import type { Contender, Rule } from './contender.ts';
import type { Scenario } from './scenario.ts';

const ANCHORS: Readonly<Record<string, Rule>> = {
  prequal: prequal(0.84),
  'prequal-0.6': prequal(0.6),
  c3,
  'peak-ewma': peakEwma,
  // Of the numbers of slots that were tried the one that comes nearest to the study's rows.
  heartbeat: heartbeat(64),
  wrr: weightedRoundRobin,
  random,
  'oracle-jsq': joinShortestQueue,
  'oracle-backlog': leastBacklog,
};

/** The default of the product: `adaptive` for requests, `session` for new sessions. */
const DEFAULT: Contender = { name: 'rollcall', requests: ALGORITHMS.adaptive, sessions: ALGORITHMS.session };
const SOFT: Contender = { ...DEFAULT, name: 'rollcall-soft', movesSessions: true };

const CONTENDERS: ReadonlyMap<string, Contender> = new Map(
  [
    DEFAULT,
    SOFT,
    ...Object.entries({ ...ALGORITHMS, ...ANCHORS }).map(([name, requests]): Contender => ({ name, requests })),
    // The sticky handler of Traefik forwards to the node directly, without counting or timing the request.
    { name: 'leasttime', requests: leastTime, ignoresBound: true },
  ].map((contender) => [contender.name, contender]),
);

export const CONTENDER_NAMES: readonly string[] = [...CONTENDERS.keys()];

export function contenderOf(name: string): Contender | undefined {
  return CONTENDERS.get(name);
}

/** The contenders that are compared by default. */
export function usualContenders({ sessions }: Scenario): readonly Contender[] {
  const names = ['rollcall', ...(sessions?.isMovable ? ['rollcall-soft'] : [])];
  return [...names, 'least-connections', 'power-of-two', 'modcluster', 'prequal', 'c3', 'oracle-backlog'].map(
    (name) => CONTENDERS.get(name)!,
  );
}
