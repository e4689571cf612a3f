/** Everything that is wrong with the cluster, as seen by this coordinator. */
import { verdictOf } from '@rollcall/core';
import type { ClusterProblem, UnservedContext, Verdict } from '@rollcall/protocol';
import { MAX_PROBLEMS } from '@rollcall/protocol';
import type { Dependencies } from '../admin/dependencies.ts';
import type { Notice } from './notice.ts';
import { notices } from './notices.ts';
import { isMeant } from './port-advice.ts';

/** Shortest pause between two looks, milliseconds. */
const LOOK_MS = 5_000;
/** Pause after a look, in lengths of the look: with very many contexts it takes long. */
const LOOK_PAUSE = 100;
/** Contexts named in one problem. */
const MAX_NAMED = 3;

function problemsOf(
  { cluster: { registry, clocks } }: Dependencies,
  unserved: readonly UnservedContext[],
  found: readonly Notice[],
): ClusterProblem[] {
  const now = { nowMs: clocks.nowMs(), nowUnixMs: clocks.nowUnixMs() };
  return [
    ...unservedProblems(unserved),
    ...registry.problems(now),
    ...found
      .filter(({ kind }) => kind !== 'unserved')
      .map(({ kind, level, sentence }): ClusterProblem => ({ kind, level, message: sentence.replace(/\.$/, '') })),
  ];
}

/** All problems, with the time since which each exists. */
export function lookForProblems(
  dependencies: Dependencies,
  unserved: readonly UnservedContext[] = dependencies.cluster.registry.unserved(),
  found: readonly Notice[] = notices(dependencies, unserved),
): ClusterProblem[] {
  const { problemTimes, cluster } = dependencies;
  return problemTimes.withTimes(problemsOf(dependencies, unserved, found), cluster.clocks.nowUnixMs());
}

/** The state of the cluster in one line, with all problems. */
export function clusterVerdict(
  dependencies: Dependencies,
  unserved?: readonly UnservedContext[],
  found?: readonly Notice[],
): Verdict {
  const { cluster, feed } = dependencies;
  return verdictOf(lookForProblems(dependencies, unserved, found), {
    up: cluster.registry.counts().up,
    requestsPerSecond: feed.workers.requestsPerSecond(),
  });
}

/** Looks for problems also while no client reads them, so that the time since which each exists is right. Returns the end of it. */
export function keepLooking(dependencies: Dependencies): () => void {
  const { clocks } = dependencies.cluster;
  let timer: NodeJS.Timeout;
  const look = (): void => {
    const startMs = clocks.nowMs();
    lookForProblems(dependencies);
    timer = setTimeout(look, Math.max(LOOK_MS, LOOK_PAUSE * (clocks.nowMs() - startMs)));
  };
  timer = setTimeout(look, LOOK_MS);
  return () => clearTimeout(timer);
}

/** One problem for all contexts of a balancer that have the same cause. */
function unservedProblems(unserved: readonly UnservedContext[]): ClusterProblem[] {
  const groups = new Map<string, UnservedContext[]>();
  for (const context of unserved) {
    if (isMeant(context)) continue;
    const key = `${context.balancer} ${context.message}`;
    groups.set(key, [...(groups.get(key) ?? []), context]);
  }
  return [...groups.values()].slice(0, MAX_PROBLEMS).map((contexts): ClusterProblem => {
    const [{ balancer, message, remedy, answeredBy }] = contexts as [UnservedContext];
    const more = contexts.length - MAX_NAMED;
    const names = contexts.slice(0, MAX_NAMED).map(({ host, path }) => (host === '*' ? path : `${path} on ${host}`));
    const places = `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
    return {
      kind: 'unserved',
      level: 'outage',
      balancer,
      message: `no node can serve ${places}: ${message}`,
      ...(answeredBy === undefined && { effect: `visitors of ${balancer} get 503` }),
      remedy,
    };
  });
}
