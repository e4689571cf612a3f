/** Hosts and containers that disappear, and workers that cannot reach a node. */
import { FAULT_MS, type Scenario } from '../scenario.ts';

export const HOST_SCENARIOS: readonly Scenario[] = [
  {
    name: 'a container is killed and its address is silent',
    faults: [{ type: 'remove-container', node: 1, atMs: FAULT_MS }],
    lengthMs: 50_000,
    expect: { failedFromMs: 4_000, lost: 'once', splits: 0 },
  },
  {
    name: 'a container is killed and its address goes to another program after 2 s',
    faults: [
      { type: 'remove-container', node: 1, atMs: FAULT_MS },
      { type: 'give-address-away', node: 1, atMs: FAULT_MS + 2_000 },
    ],
    lengthMs: 45_000,
    expect: { foreign: 0, failedFromMs: 4_000, lost: 'once', splits: 0 },
  },
  {
    name: 'the host of a node is cut off for 10 s',
    faults: [{ type: 'cut-host', node: 1, atMs: FAULT_MS, forMs: 10_000 }],
    lengthMs: 30_000,
    expect: { failed: 0, lost: 'none' },
  },
  {
    name: 'the host of a node is cut off for good',
    faults: [{ type: 'cut-host', node: 1, atMs: FAULT_MS }],
    lengthMs: 50_000,
    expect: { failedFromMs: 4_000, lost: 'once', splits: 0 },
  },
  {
    name: 'one of two workers is cut off from a node for 30 s',
    workers: 2,
    cutWorker: 2,
    faults: [{ type: 'cut-worker', node: 1, worker: 2, atMs: FAULT_MS, forMs: 30_000 }],
    lengthMs: 50_000,
    expect: { failedFromMs: 4_000, lost: 'none' },
  },
];
