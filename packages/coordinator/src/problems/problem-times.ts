import type { ClusterProblem } from '@rollcall/protocol';

interface Seen {
  readonly sinceUnixMs: number;
  /** Number of the look in which it was seen last. */
  look: number;
}

/** Remembers since when each problem exists. */
export class ProblemTimes {
  readonly #seen = new Map<string, Seen>();
  #look = 0;

  /** `found` with the instant at which each was seen first; times that are known already stay. */
  withTimes(found: readonly ClusterProblem[], nowUnixMs: number): ClusterProblem[] {
    this.#look += 1;
    const problems = found.map((problem) => {
      const key = keyOf(problem);
      const seen = this.#seen.get(key) ?? { sinceUnixMs: problem.sinceUnixMs ?? nowUnixMs, look: 0 };
      seen.look = this.#look;
      this.#seen.set(key, seen);
      return { ...problem, sinceUnixMs: Math.round(Math.min(problem.sinceUnixMs ?? nowUnixMs, seen.sinceUnixMs)) };
    });
    for (const [key, { look }] of this.#seen) if (look !== this.#look) this.#seen.delete(key);
    return problems;
  }
}

/** The same for a problem whose numbers change. */
function keyOf({ kind, balancer, nodes, message }: ClusterProblem): string {
  return nodes === undefined
    ? `${kind} ${balancer} ${message.replace(/[0-9.]+/g, '#')}`
    : `${kind} ${balancer} ${nodes.join()}`;
}
