/** Nodes that fail while the control process cannot act. */
import type { Fault } from '../fault.ts';
import { FAULT_MS, type Scenario } from '../scenario.ts';

const FROZEN: Fault = { type: 'freeze-control', atMs: FAULT_MS - 1_000 };
const DOWN: Fault = { type: 'keep-control-down', atMs: FAULT_MS - 1_000 };
const KILL: Fault = { type: 'kill', node: 1, atMs: FAULT_MS };
const FREEZE: Fault = { type: 'freeze', node: 1, atMs: FAULT_MS };

export const CONTROL_SCENARIOS: readonly Scenario[] = [
  {
    name: 'a node is killed while the control process is frozen',
    faults: [FROZEN, KILL],
    lengthMs: 30_000,
    expect: { failedFromMs: 4_000, lost: 'once', splits: 0 },
  },
  {
    name: 'a node is killed while the control process is down for good',
    faults: [DOWN, KILL],
    lengthMs: 30_000,
    expect: { failedFromMs: 4_000, lost: 'once', splits: 0 },
  },
  {
    name: 'a node is frozen for good while the control process is frozen',
    faults: [FROZEN, FREEZE],
    lengthMs: 55_000,
    expect: { failedFromMs: 4_000, lost: 'once', splits: 0 },
  },
  {
    name: 'a node is frozen for good while the control process is down for good',
    faults: [DOWN, FREEZE],
    lengthMs: 55_000,
    expect: { failedFromMs: 4_000, lost: 'once', splits: 0 },
  },
];
