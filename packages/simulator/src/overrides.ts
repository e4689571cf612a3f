import type { NodeGroup, Scenario } from './scenario.ts';
import { parseScenario, ScenarioProblem } from './scenario-file.ts';

/** What may be changed of a scenario without writing another one. */
export interface Overrides {
  readonly proxies?: number | undefined;
  /** Nodes in all, in the proportion of the scenario's groups. */
  readonly nodes?: number | undefined;
  readonly utilisation?: number | undefined;
}

/** The scenario with these numbers in place of its own, checked anew. */
export function withOverrides(
  scenario: Scenario,
  { proxies, nodes, utilisation }: Overrides,
): Scenario | ScenarioProblem {
  const groups = nodes === undefined ? scenario.nodes : scaled(scenario.nodes, nodes);
  if (groups === undefined)
    return new ScenarioProblem(`nodes are of ${scenario.nodes.length} kinds, which ${nodes} are too few for`);
  return parseScenario({
    ...scenario,
    nodes: groups,
    proxies: proxies ?? scenario.proxies,
    utilisation: utilisation ?? scenario.utilisation,
  });
}

/** `undefined` when a group would be left without a node. */
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
