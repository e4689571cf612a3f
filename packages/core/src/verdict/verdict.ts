/** The verdict: everything that is wrong, the gravest first, and the state of the cluster in one line. */
import {
  type ClusterProblem,
  MAX_PROBLEMS,
  PROBLEM_KINDS,
  PROBLEM_LEVELS,
  problemText,
  type Verdict,
} from '@rollcall/protocol';

/** The gravest first: by level, kind, balancer, and then as given. */
function sortedProblems(problems: readonly ClusterProblem[]): ClusterProblem[] {
  return problems.toSorted(
    (one, other) =>
      PROBLEM_LEVELS.indexOf(one.level) - PROBLEM_LEVELS.indexOf(other.level) ||
      PROBLEM_KINDS.indexOf(one.kind) - PROBLEM_KINDS.indexOf(other.kind) ||
      compare(one.balancer ?? '', other.balancer ?? ''),
  );
}

/** Numbers for the line of a cluster that is well. */
export interface VerdictFigures {
  /** Nodes that are up. */
  readonly up: number;
  readonly requestsPerSecond: number;
}

export function verdictOf(found: readonly ClusterProblem[], figures: VerdictFigures): Verdict {
  const sorted = sortedProblems(found);
  const problems = sorted.slice(0, MAX_PROBLEMS);
  const more = sorted.length - problems.length;
  const isProblem = ({ level }: ClusterProblem): boolean => level !== 'planned';
  const [gravest] = sorted.filter(isProblem);
  const level = gravest?.level === 'planned' ? undefined : gravest?.level;
  return {
    line: lineOf(
      sorted.filter(isProblem),
      sorted.filter((one) => !isProblem(one)),
      figures,
    ),
    ...(level !== undefined && { level }),
    problems,
    ...(more > 0 && { more }),
  };
}

function lineOf(
  problems: readonly ClusterProblem[],
  planned: readonly ClusterProblem[],
  figures: VerdictFigures,
): string {
  const [gravest] = problems;
  if (gravest !== undefined) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems, the gravest`;
    return `${count}: ${problemText(gravest)}`;
  }
  const { up, requestsPerSecond } = figures;
  const well = `All well: ${up} ${up === 1 ? 'node' : 'nodes'} up, ${requestsPerSecond.toFixed(1)} requests/s`;
  const [first] = planned;
  if (first === undefined) return well;
  const rest = planned.length === 1 ? '' : `, and ${planned.length - 1} more`;
  return `${well}; planned: ${problemText(first)}${rest}`;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
