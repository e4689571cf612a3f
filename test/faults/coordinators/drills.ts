/** The drills of two coordinators that share a Redis. */
import type { Commands, CoordinatorFault } from './fault.ts';
import { type CoordinatorDrill, FAULT_MS } from './plan.ts';
import { RELEASE_DRILLS } from './release-drills.ts';
import type { OperatorRequest } from './requests.ts';

/** Requests that a fault of the first coordinator or of Redis meets: one before it, others during it, at both coordinators. */
const REQUESTS: readonly OperatorRequest[] = [
  { type: 'drain', at: 0, node: 'n4', atMs: FAULT_MS - 50, body: { reason: 'right before', forMs: 600_000 } },
  { type: 'retries', at: 1, atMs: FAULT_MS + 1_000, body: { retries: 3 } },
  { type: 'weight', at: 0, node: 'n3', atMs: FAULT_MS + 2_000, body: { weight: 2 } },
  { type: 'drain', at: 1, node: 'n2', atMs: FAULT_MS + 3_000, body: { reason: 'for two seconds', forMs: 2_000 } },
  { type: 'weight', at: 1, node: 'n1', atMs: FAULT_MS + 4_000, body: { weight: 3 } },
];

const COORDINATOR_DRILLS: readonly CoordinatorDrill[] = [
  {
    name: 'a control process is killed',
    faults: [{ type: 'kill-control', at: 0, atMs: FAULT_MS }],
    lengthMs: 18_000,
    isShort: true,
  },
  {
    name: 'a control process is stopped and replaced',
    faults: [{ type: 'freeze-control', at: 0, atMs: FAULT_MS, forMs: 20_000 }],
    lengthMs: 32_000,
    isShort: true,
  },
  {
    name: 'all processes of a machine stop for 20 s',
    faults: [{ type: 'freeze-tree', at: 0, atMs: FAULT_MS, forMs: 20_000 }],
    lengthMs: 35_000,
  },
  {
    name: 'a coordinator restarts',
    faults: [{ type: 'restart', of: [0], atMs: FAULT_MS }],
    lengthMs: 22_000,
    repeatsRefused: true,
  },
  {
    name: 'both coordinators restart, one after the other',
    faults: [{ type: 'restart', of: [0, 1], atMs: FAULT_MS }],
    lengthMs: 32_000,
    repeatsRefused: true,
    isShort: true,
  },
  {
    name: 'a machine with coordinator and worker is killed',
    faults: [{ type: 'kill-tree', at: 0, atMs: FAULT_MS, forMs: 12_000 }],
    lengthMs: 30_000,
    repeatsRefused: true,
    isShort: true,
  },
];

/** Key of Redis with the records of the cluster. */
const RECORDS = '{rollcall}:2:records';

function redisCommands(begin: Commands, end: Commands): CoordinatorFault {
  return { type: 'redis-commands', begin, end, atMs: FAULT_MS, forMs: 10_000 };
}

const REDIS_DRILLS: readonly CoordinatorDrill[] = [
  {
    name: 'redis is killed and returns with its data',
    faults: [{ type: 'kill-redis', isEmpty: false, atMs: FAULT_MS, forMs: 10_000 }],
    lengthMs: 24_000,
    names: /unreachable/,
  },
  {
    name: 'redis is killed and returns empty',
    faults: [{ type: 'kill-redis', isEmpty: true, atMs: FAULT_MS, forMs: 10_000 }],
    lengthMs: 24_000,
    names: /unreachable/,
    isShort: true,
  },
  {
    name: 'redis is emptied by FLUSHALL',
    faults: [{ type: 'empty-redis', atMs: FAULT_MS }],
    lengthMs: 18_000,
    isShort: true,
  },
  {
    name: 'redis stops for 30 s',
    faults: [{ type: 'freeze-redis', atMs: FAULT_MS, forMs: 30_000 }],
    lengthMs: 44_000,
    names: /does not answer in time/,
  },
  {
    name: 'redis is a read-only replica',
    faults: [redisCommands([['REPLICAOF', '127.0.0.1', '1']], [['REPLICAOF', 'NO', 'ONE']])],
    lengthMs: 24_000,
    names: /read-only/,
  },
  {
    name: 'redis is full',
    faults: [redisCommands([['CONFIG', 'SET', 'maxmemory', '1']], [['CONFIG', 'SET', 'maxmemory', '0']])],
    lengthMs: 24_000,
    names: /out of memory/,
    isShort: true,
  },
  {
    name: 'redis refuses the password',
    faults: [
      redisCommands(
        [
          ['CONFIG', 'SET', 'requirepass', 'another'],
          ['CLIENT', 'KILL', 'SKIPME', 'yes'],
        ],
        [
          ['AUTH', 'another'],
          ['CONFIG', 'SET', 'requirepass', ''],
        ],
      ),
    ],
    lengthMs: 24_000,
    names: /password/,
  },
  {
    name: 'redis has another type at the key of the records',
    faults: [
      redisCommands(
        [
          ['DEL', RECORDS],
          ['SET', RECORDS, 'of another program'],
        ],
        [],
      ),
    ],
    lengthMs: 24_000,
  },
  {
    name: 'redis answers after 300 ms',
    faults: [{ type: 'store-links', of: [0, 1], mode: { type: 'slow', ms: 300 }, atMs: FAULT_MS, forMs: 15_000 }],
    lengthMs: 28_000,
  },
  {
    name: 'connections to redis are cut each 300 ms',
    faults: [{ type: 'store-links', of: [0, 1], mode: { type: 'cut-every', ms: 300 }, atMs: FAULT_MS, forMs: 15_000 }],
    lengthMs: 28_000,
  },
];

const PARTITION_DRILLS: readonly CoordinatorDrill[] = [
  {
    name: 'no agent reaches the first coordinator, both ways',
    faults: [{ type: 'agent-links', of: [0], mode: { type: 'stall' }, atMs: FAULT_MS, forMs: 20_000 }],
    lengthMs: 34_000,
    isShort: true,
  },
  {
    name: 'no agent reaches the first coordinator, which reaches them',
    faults: [{ type: 'agent-links', of: [0], mode: { type: 'stall', way: 'to' }, atMs: FAULT_MS, forMs: 20_000 }],
    lengthMs: 34_000,
  },
  {
    name: 'the first coordinator reaches no agent, and they reach it',
    faults: [{ type: 'agent-links', of: [0], mode: { type: 'stall', way: 'from' }, atMs: FAULT_MS, forMs: 20_000 }],
    lengthMs: 34_000,
  },
  {
    name: 'one agent and the first coordinator are separated, both ways',
    faults: [{ type: 'agent-links', of: [0], nodes: [0], mode: { type: 'stall' }, atMs: FAULT_MS, forMs: 20_000 }],
    lengthMs: 34_000,
  },
  {
    name: 'one agent and both coordinators are separated, both ways',
    faults: [{ type: 'agent-links', of: [0, 1], nodes: [0], mode: { type: 'stall' }, atMs: FAULT_MS, forMs: 20_000 }],
    lengthMs: 34_000,
  },
  {
    name: 'agents and all coordinators are separated for 10 s',
    faults: [{ type: 'agent-links', of: [0, 1], mode: { type: 'stall' }, atMs: FAULT_MS, forMs: 10_000 }],
    lengthMs: 24_000,
    isShort: true,
  },
  {
    name: 'agents and all coordinators are separated for 60 s',
    faults: [{ type: 'agent-links', of: [0, 1], mode: { type: 'stall' }, atMs: FAULT_MS, forMs: 60_000 }],
    lengthMs: 74_000,
  },
  {
    name: 'no agent reaches any coordinator for 20 s, and they reach agents',
    faults: [{ type: 'agent-links', of: [0, 1], mode: { type: 'stall', way: 'to' }, atMs: FAULT_MS, forMs: 20_000 }],
    lengthMs: 34_000,
  },
  {
    name: 'the first coordinator and redis are separated',
    faults: [{ type: 'store-links', of: [0], mode: { type: 'stall' }, atMs: FAULT_MS, forMs: 15_000 }],
    lengthMs: 28_000,
    names: /does not answer in time|unreachable/,
    isShort: true,
  },
  {
    name: 'the first coordinator reaches redis, and its answers are lost',
    faults: [{ type: 'store-links', of: [0], mode: { type: 'stall', way: 'from' }, atMs: FAULT_MS, forMs: 15_000 }],
    lengthMs: 28_000,
    names: /does not answer in time|unreachable/,
  },
  {
    name: 'the first coordinator does not reach redis, which reaches it',
    faults: [{ type: 'store-links', of: [0], mode: { type: 'stall', way: 'to' }, atMs: FAULT_MS, forMs: 15_000 }],
    lengthMs: 28_000,
    names: /does not answer in time|unreachable/,
  },
  {
    name: 'both coordinators and redis are separated by resets',
    faults: [{ type: 'store-links', of: [0, 1], mode: { type: 'cut' }, atMs: FAULT_MS, forMs: 15_000 }],
    lengthMs: 28_000,
    names: /unreachable/,
  },
];

/** Drains whose ends are due while the clock of the first coordinator is wrong, or has been. */
const TIMED_REQUESTS: readonly OperatorRequest[] = [
  { type: 'drain', at: 0, node: 'n4', atMs: FAULT_MS - 1_500, body: { reason: 'by a', forMs: 15_000 } },
  { type: 'drain', at: 1, node: 'n3', atMs: FAULT_MS - 1_500, body: { reason: 'by b', forMs: 15_000 } },
  { type: 'drain', at: 0, node: 'n2', atMs: FAULT_MS + 2_000, body: { reason: 'ends', deadlineMs: 10_000 } },
  { type: 'retries', at: 1, atMs: FAULT_MS + 1_000, body: { retries: 3 } },
  { type: 'weight', at: 0, node: 'n1', atMs: FAULT_MS + 4_000, body: { weight: 3 } },
];

const CLOCK_DRILLS: readonly CoordinatorDrill[] = [3_600, -3_600].map((seconds) => ({
  name: `the clock of a coordinator is an hour ${seconds > 0 ? 'fast' : 'slow'}`,
  faults: [{ type: 'wrong-clock', seconds, atMs: FAULT_MS, forMs: 20_000 }],
  requests: TIMED_REQUESTS,
  lengthMs: 32_000,
  needsFakeClock: true,
}));

const NEGATIVE_CONTROLS: readonly CoordinatorDrill[] = [
  {
    name: 'negative control: agents know one coordinator, whose machine is killed',
    agents: 'first',
    faults: [{ type: 'kill-tree', at: 0, atMs: FAULT_MS, forMs: 12_000 }],
    lengthMs: 22_000,
    // Its complaints are connects that the killed proxy refuses. With `repeatsRefused` nearly all requests are answered: suspect nodes are served.
    isNegativeControl: true,
    isShort: true,
  },
  {
    name: 'negative control: the coordinators share no Redis',
    stores: 'separate',
    faults: [{ type: 'empty-redis', atMs: FAULT_MS }],
    lengthMs: 12_000,
    isNegativeControl: true,
    isShort: true,
  },
];

/** The longest first, so that none of them is alone at the end. */
export const DRILLS: readonly CoordinatorDrill[] = [
  ...COORDINATOR_DRILLS,
  ...REDIS_DRILLS,
  ...PARTITION_DRILLS,
  ...CLOCK_DRILLS,
  ...RELEASE_DRILLS,
  ...NEGATIVE_CONTROLS,
].toSorted((a, b) => b.lengthMs - a.lengthMs);

export function requestsOf({ requests }: CoordinatorDrill): readonly OperatorRequest[] {
  return requests ?? REQUESTS;
}
