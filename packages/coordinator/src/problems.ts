/** Everything that is wrong with the cluster, as seen by this coordinator. */
import type { ClusterProblem, UnservedContext } from '@rollcall/protocol';
import { MAX_PROBLEMS } from '@rollcall/protocol';
import type { Dependencies } from './admin/dependencies.ts';
import { notices } from './notices.ts';
import { isMeant } from './port-advice.ts';

/** Contexts named in one problem. */
const MAX_NAMED = 3;

function problemsOf(dependencies: Dependencies, unserved: readonly UnservedContext[]): ClusterProblem[] {
  const { registry, clocks } = dependencies.cluster;
  const now = { nowMs: clocks.nowMs(), nowUnixMs: clocks.nowUnixMs() };
  return [
    ...unservedProblems(unserved),
    ...registry.problems(now),
    ...notices(dependencies, unserved)
      .filter(({ kind }) => kind !== 'unserved')
      .map(({ kind, level, sentence }): ClusterProblem => ({ kind, level, message: sentence.replace(/\.$/, '') })),
  ];
}

/** All problems, with the time since which each exists. */
export function lookForProblems(
  dependencies: Dependencies,
  unserved: readonly UnservedContext[] = dependencies.cluster.registry.unserved(),
): ClusterProblem[] {
  const { problemTimes, cluster } = dependencies;
  return problemTimes.withTimes(problemsOf(dependencies, unserved), cluster.clocks.nowUnixMs());
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
