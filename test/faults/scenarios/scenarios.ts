/** All scenarios, the longest first, so that none of them is alone at the end. */
import type { Scenario } from '../scenario.ts';
import { AGENT_LINK_SCENARIOS } from './agent-links.ts';
import { CONTROL_SCENARIOS } from './control.ts';
import { HOST_SCENARIOS } from './hosts.ts';
import { NODE_SCENARIOS } from './nodes.ts';
import { PROGRAM_SCENARIOS } from './programs.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...NODE_SCENARIOS,
  ...AGENT_LINK_SCENARIOS,
  ...HOST_SCENARIOS,
  ...PROGRAM_SCENARIOS,
  ...CONTROL_SCENARIOS,
].toSorted((a, b) => b.lengthMs - a.lengthMs);
