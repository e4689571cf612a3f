/** Nodes without an agent inside: static members, and programs under `rollcall run`. */
import type { NodeKind } from '../cluster.ts';
import { FAULT_MS, type Scenario } from '../scenario.ts';

const STATIC: readonly NodeKind[] = ['add', 'add', 'add', 'add'];
const WRAPPED: readonly NodeKind[] = ['run', 'run', 'run', 'run'];
const BOTH_COPIES = { nodes: ['run'], copies: 2, ready: '/health' } as const;
const READY_PAGE = { type: 'ready-page', ids: ['n1-1', 'n1-2'], atMs: FAULT_MS, forMs: 20_000 } as const;

export const PROGRAM_SCENARIOS: readonly Scenario[] = [
  {
    name: 'a static member is killed',
    nodes: STATIC,
    faults: [{ type: 'kill', node: 1, atMs: FAULT_MS }],
    lengthMs: 22_000,
    expect: { failed: 0, lost: 'once', splits: 0 },
  },
  {
    name: 'a static member is killed and restarted within 2 s',
    nodes: STATIC,
    faults: [{ type: 'kill', node: 1, atMs: FAULT_MS, forMs: 1_500 }],
    lengthMs: 22_000,
    expect: { failed: 0, lost: 'once', splits: 0 },
  },
  {
    name: 'a static member is frozen for 15 s',
    nodes: STATIC,
    faults: [{ type: 'freeze', node: 1, atMs: FAULT_MS, forMs: 15_000 }],
    lengthMs: 32_000,
    expect: { failed: 0, lost: 'none' },
  },
  {
    name: 'a static member is frozen for good',
    nodes: STATIC,
    faults: [{ type: 'freeze', node: 1, atMs: FAULT_MS }],
    lengthMs: 50_000,
    expect: { failedFromMs: 5_000, lost: 'once', splits: 0 },
  },
  {
    name: 'a program under run is frozen for 10 s',
    nodes: WRAPPED,
    faults: [{ type: 'freeze', node: 1, atMs: FAULT_MS, forMs: 10_000 }],
    lengthMs: 26_000,
    expect: { lost: 'none' },
  },
  {
    name: 'the listener of a program under run is gone for 1 s',
    nodes: WRAPPED,
    faults: [{ type: 'close-listener', id: 'n1', atMs: FAULT_MS, forMs: 1_000 }],
    lengthMs: 20_000,
    expect: { lost: 'none' },
  },
  {
    name: 'the ready page is slow on both copies',
    ...BOTH_COPIES,
    faults: [{ ...READY_PAGE, ready: { status: 200, delaysMs: [1_500, 4_000, 2_500, 3_000] } }],
    lengthMs: 36_000,
    expect: { failed: 0, lost: 'none' },
  },
  {
    name: 'the ready page fails on both copies',
    ...BOTH_COPIES,
    faults: [{ ...READY_PAGE, ready: { status: 503, delaysMs: [0] } }],
    lengthMs: 36_000,
    expect: { failed: 0, lost: 'none' },
  },
];
