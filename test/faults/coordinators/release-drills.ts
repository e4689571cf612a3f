/** The drills of releases and of identities: two builds, another layout, agents with one connection, and processes with one identity. */
import { LAYOUT } from '@rollcall/core';
import type { StatusResource } from '@rollcall/protocol';
import { CLUSTER_KEY, NEXT_NAME } from './next-layout.ts';
import { wrongWithOddRecords } from './odd-records.ts';
import type { Pair } from './pair.ts';
import { type CoordinatorDrill, FAULT_MS } from './plan.ts';
import type { OperatorRequest } from './requests.ts';
import { viewOf } from './view.ts';

/** What a release has stored, the next one reads: all of these are from before the change. */
const BEFORE_THE_CHANGE: readonly OperatorRequest[] = [
  { type: 'drain', at: 0, node: 'n4', atMs: FAULT_MS - 3_000, body: { reason: 'before the change', forMs: 600_000 } },
  { type: 'retries', at: 1, atMs: FAULT_MS - 2_500, body: { retries: 3 } },
  { type: 'weight', at: 1, node: 'n3', atMs: FAULT_MS - 2_000, body: { weight: 2 } },
];

const TWO_RELEASES: readonly CoordinatorDrill[] = (['release', 'current'] as const).map((starts) => {
  const as = starts === 'release' ? 'current' : 'release';
  return {
    name: `both coordinators restart with ${as === 'current' ? 'this release' : 'an earlier release'}, one after the other`,
    starts,
    faults: [{ type: 'restart', of: [0, 1], as, atMs: FAULT_MS }],
    requests: BEFORE_THE_CHANGE,
    lengthMs: 32_000,
    repeatsRefused: true,
  };
});

const NEXT_LAYOUT = new RegExp(`records of layout ${LAYOUT + 1}`);

/** A coordinator that is not refused by name, or does not serve what it has. */
async function notServingAlone({ coordinators, ids }: Pair): Promise<string[]> {
  const found: string[] = [];
  for (const coordinator of coordinators) {
    const { name } = coordinator;
    const { nodes, sharing } = await viewOf(coordinator);
    if (!NEXT_LAYOUT.test(sharing?.refusal ?? '')) found.push(`${name} does not name the layout: ${sharing?.refusal}`);
    for (const id of ids) if (nodes.get(id)?.liveness !== 'up') found.push(`${id} is not up at ${name}`);
    if (nodes.get('n4')?.wanted.reason !== 'before the change')
      found.push(`the drain of n4 is not in force at ${name}`);
  }
  return found;
}

/** A coordinator that does not share while another one only announces the next layout. */
async function notSharingWithNext({ coordinators }: Pair): Promise<string[]> {
  const found: string[] = [];
  for (const coordinator of coordinators) {
    const { name } = coordinator;
    const { body } = await coordinator.api('GET', '/v1/status');
    const { sharing } = body as StatusResource;
    if (sharing?.refusal !== undefined) found.push(`${name} shares nothing: ${sharing.refusal}`);
    const next = sharing?.coordinators.find((one) => one.name === NEXT_NAME);
    if (next?.liveness !== 'running') found.push(`the coordinator of the next layout is ${next?.liveness} at ${name}`);
  }
  return found;
}

const LAYOUT_DRILLS: readonly CoordinatorDrill[] = [
  {
    name: 'redis has a layout that is one higher, and coordinators restart',
    faults: [
      {
        type: 'redis-commands',
        begin: [['HSET', CLUSTER_KEY, 'layout', String(LAYOUT + 1)]],
        end: [['HSET', CLUSTER_KEY, 'layout', String(LAYOUT)]],
        atMs: FAULT_MS,
        forMs: 25_000,
      },
      { type: 'kill-control', at: 0, atMs: FAULT_MS + 5_000 },
      { type: 'restart', of: [1], atMs: FAULT_MS + 6_000 },
    ],
    requests: [
      ...BEFORE_THE_CHANGE,
      { type: 'weight', at: 0, node: 'n1', atMs: FAULT_MS + 2_000, body: { weight: 3 } },
      { type: 'drain', at: 1, node: 'n2', atMs: FAULT_MS + 3_000, body: { reason: 'alone', forMs: 600_000 } },
    ],
    // After the restarts, and before the layout is ours again.
    checks: [{ fromMs: FAULT_MS + 15_000, untilMs: FAULT_MS + 24_500, find: notServingAlone }],
    lengthMs: 38_000,
    names: NEXT_LAYOUT,
    repeatsRefused: true,
  },
  {
    name: 'a third coordinator has the next layout: it announces it, then writes it',
    faults: [{ type: 'next-layout', raisesMs: 10_000, atMs: FAULT_MS, forMs: 20_000 }],
    requests: [
      ...BEFORE_THE_CHANGE,
      { type: 'weight', at: 0, node: 'n1', atMs: FAULT_MS + 5_000, body: { weight: 3 } },
      { type: 'drain', at: 1, node: 'n2', atMs: FAULT_MS + 14_000, body: { reason: 'alone', forMs: 600_000 } },
    ],
    checks: [
      { fromMs: FAULT_MS + 2_000, untilMs: FAULT_MS + 9_500, find: notSharingWithNext },
      { fromMs: FAULT_MS + 11_000, untilMs: FAULT_MS + 19_500, find: notServingAlone },
    ],
    lengthMs: 32_000,
  },
];

const ONE_CONNECTION: readonly CoordinatorDrill[] = [
  {
    name: 'an agent of 0.1.0 with one connection: the machine of its coordinator is killed',
    early: [0],
    faults: [{ type: 'kill-tree', at: 0, atMs: FAULT_MS, forMs: 12_000 }],
    lengthMs: 32_000,
    repeatsRefused: true,
  },
  {
    name: 'two agents of 0.1.0 with one connection each: their coordinators restart',
    early: [0, 1],
    faults: [{ type: 'restart', of: [0, 1], atMs: FAULT_MS }],
    lengthMs: 34_000,
    repeatsRefused: true,
  },
];

const IDENTITY_DRILLS: readonly CoordinatorDrill[] = [
  {
    name: 'a second process has the state directory of the first coordinator',
    faults: [{ type: 'second-process', at: 0, atMs: FAULT_MS }],
    lengthMs: 18_000,
    isShort: true,
  },
  {
    name: 'redis has records of another kind, records that are cut off and too large',
    faults: [{ type: 'odd-records', atMs: FAULT_MS }],
    requests: BEFORE_THE_CHANGE,
    checks: [{ fromMs: FAULT_MS + 1_000, untilMs: FAULT_MS + 13_000, find: wrongWithOddRecords }],
    lengthMs: 20_000,
  },
  {
    name: 'both machines are killed, one after the other',
    faults: [{ type: 'kill-each', offMs: 8_000, atMs: FAULT_MS }],
    lengthMs: 55_000,
    repeatsRefused: true,
  },
];

export const RELEASE_DRILLS: readonly CoordinatorDrill[] = [
  ...TWO_RELEASES,
  ...LAYOUT_DRILLS,
  ...ONE_CONNECTION,
  ...IDENTITY_DRILLS,
];
