import type { NodeGroup, Scenario } from './scenario.ts';
import { parseScenario, ScenarioProblem } from './scenario-file.ts';

/** Fields of a scenario that options replace. */
export interface Overrides {
  readonly proxies?: number | undefined;
  /** Total number of nodes; the proportion of the groups is kept. */
  readonly nodes?: number | undefined;
  readonly utilisation?: number | undefined;
}

/** The scenario with these fields replaced. Returns a `ScenarioProblem` if the result is invalid. */
export function withOverrides(
  scenario: Scenario,
  { proxies, nodes, utilisation }: Overrides,
): Scenario | ScenarioProblem {
  const groups = nodes === undefined ? scenario.nodes : scaled(scenario.nodes, nodes);
  if (groups === undefined)
    return new ScenarioProblem(`nodes has ${scenario.nodes.length} groups; ${nodes} nodes are too few`);
  return parseScenario({
    ...scenario,
    nodes: groups,
    proxies: proxies ?? scenario.proxies,
    utilisation: utilisation ?? scenario.utilisation,
  });
}

/** The groups scaled to `total` nodes; `undefined` if a group would be empty. */
function scaled(groups: readonly NodeGroup[], total: number): readonly NodeGroup[] | undefined {
  const before = groups.reduce((sum, { count }) => sum + count, 0);
  let seen = 0;
  let given = 0;
  const counts = groups.map(({ count }) => {
    seen += count;
    const part = Math.round((total * seen) / before) - given;
    given += part;
    return part;
  });
  return counts.every((count) => count > 0) ? groups.map((group, i) => ({ ...group, count: counts[i]! })) : undefined;
}
