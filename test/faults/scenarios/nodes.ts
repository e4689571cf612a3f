/** Nodes that are killed or frozen. */
import { FAULT_MS, type Scenario } from '../scenario.ts';

const FIVE = ['sdk', 'sdk', 'sdk', 'sdk', 'sdk'] as const;
const THREE = [1, 2, 3];
const freeze = (node: number, forMs?: number) =>
  ({ type: 'freeze', node, atMs: FAULT_MS, ...(forMs !== undefined && { forMs }) }) as const;

export const NODE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'a node is killed',
    faults: [{ type: 'kill', node: 1, atMs: FAULT_MS }],
    lengthMs: 20_000,
    expect: { failed: 0, lost: 'once', splits: 0, movedWithinMs: 1_000 },
  },
  {
    name: 'a node is frozen for 8 s, with WebSockets and an upload open to it',
    longConnectionsTo: 'n1',
    faults: [freeze(1, 8_000)],
    lengthMs: 24_000,
    expect: { failed: 0, lost: 'none' },
  },
  {
    name: 'a node is frozen for 15 s, with WebSockets and an upload open to it',
    longConnectionsTo: 'n1',
    faults: [freeze(1, 15_000)],
    lengthMs: 32_000,
    expect: { failed: 0, lost: 'none' },
  },
  {
    name: 'a node is frozen for good',
    faults: [freeze(1)],
    lengthMs: 50_000,
    expect: { failedFromMs: 4_000, lost: 'once', splits: 0 },
  },
  {
    name: 'three of five nodes are frozen for 15 s',
    nodes: FIVE,
    faults: THREE.map((node) => freeze(node, 15_000)),
    lengthMs: 32_000,
    expect: { failed: 0, lost: 'none' },
  },
  {
    name: 'three of five nodes are frozen for good',
    nodes: FIVE,
    faults: THREE.map((node) => freeze(node)),
    lengthMs: 50_000,
    expect: { failedFromMs: 25_000, splits: 0 },
  },
  {
    name: 'the only node is frozen for 20 s',
    nodes: ['sdk'],
    perSecond: 40,
    faults: [freeze(1, 20_000)],
    lengthMs: 40_000,
    expect: { failed: 0, lost: 'none' },
  },
  {
    name: 'one of two nodes of a quiet site is frozen for good',
    nodes: ['sdk', 'sdk'],
    perSecond: 0.5,
    residents: 2,
    residentsAt: 'n1',
    visitorRatio: 0,
    faults: [freeze(1)],
    lengthMs: 60_000,
    expect: { failedFromMs: 25_000, lost: 'once', splits: 0 },
  },
  {
    name: 'a node is killed and restarted eight times',
    faults: Array.from({ length: 8 }, (_, round) => ({
      type: 'kill' as const,
      node: 1,
      atMs: FAULT_MS + round * 4_000,
      forMs: 2_000,
    })),
    lengthMs: 46_000,
    expect: { failedGets: 0, lost: 'once-repeatedly', splits: 0 },
  },
  {
    name: 'two of two nodes are killed and return after 3 s',
    nodes: ['sdk', 'sdk'],
    faults: [1, 2].map((node) => ({ type: 'kill' as const, node, atMs: FAULT_MS, forMs: 3_000 })),
    lengthMs: 22_000,
    expect: { failedGets: 0 },
  },
  {
    name: 'a node accepts and closes for 3 s and sends no heartbeats',
    faults: [
      { type: 'accept-and-close', id: 'n1', atMs: FAULT_MS, forMs: 3_000 },
      { type: 'agent-links', how: 'drop', nodes: [1], atMs: FAULT_MS, forMs: 3_000 },
    ],
    lengthMs: 20_000,
    expect: { failedGets: 0 },
  },
  {
    name: 'negative control: a killed node keeps its sessions',
    faults: [{ type: 'kill', node: 1, atMs: FAULT_MS }],
    lengthMs: 10_000,
    isNegativeControl: true,
    expect: { lost: 'none' },
  },
];
