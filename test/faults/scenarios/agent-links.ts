/** Agent connections that break while every node is well. */
import type { NodeKind } from '../cluster.ts';
import type { Fault } from '../fault.ts';
import type { LinkFault } from '../net.ts';
import { FAULT_MS, type Scenario } from '../scenario.ts';

const FOR_MS = 40_000;
const WAYS: readonly LinkFault[] = ['drop', 'reset', 'refuse'];
const VERBS: Readonly<Record<LinkFault, string>> = { drop: 'frozen', reset: 'reset', refuse: 'refused' };

export const AGENT_LINK_SCENARIOS: readonly Scenario[] = WAYS.flatMap((how) => [
  ...[1, 2, 4].map((count) => broken(how, count, `agent links of ${count} nodes are ${VERBS[how]} for 40 s`, [])),
  broken(how, 4, `agent links are ${VERBS[how]} for 40 s and the control process is killed`, [
    { type: 'kill-control', atMs: FAULT_MS + 12_000 },
  ]),
  broken(how, 4, `agent links are ${VERBS[how]} for 40 s and a node is frozen for 8 s`, [
    { type: 'freeze', node: 1, atMs: FAULT_MS + 22_000, forMs: 8_000 },
  ]),
]);

function broken(how: LinkFault, count: number, name: string, more: readonly Fault[]): Scenario {
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  return {
    name,
    nodes: numbers.map((): NodeKind => 'sdk'),
    faults: [{ type: 'agent-links', how, nodes: numbers, atMs: FAULT_MS, forMs: FOR_MS }, ...more],
    lengthMs: FAULT_MS + FOR_MS + 9_000,
    expect: { failed: 0, lost: 'none' },
  };
}
