/** What is played to every balancer: nodes, their speeds and mishaps, and who comes. Times are milliseconds of the pass. */
import type { Traffic } from './traffic.ts';

/** Something that happens to a node. */
export interface NodeStep {
  readonly atMs: number;
  /** Number of the node, from 0. */
  readonly node: number;
  readonly does: /** From now on so many times its own speed. */
    | { readonly kind: 'speed'; readonly factor: number }
    /** From now on it answers everything with status 500 at once. */
    | { readonly kind: 'fail' }
    /** It was not there before. */
    | { readonly kind: 'join' }
    /** It goes, in order. */
    | { readonly kind: 'leave' };
}

export interface BalanceScenario {
  /** As in `--only`. */
  readonly name: string;
  readonly title: string;
  /** Of each node; speed 1 needs `WORK_MS` for a request. */
  readonly speeds: readonly number[];
  /** Offered work by what the nodes can do, antagonists counted in, nodes that fail, join or leave as if they were well. */
  readonly utilisation: number;
  readonly traffic: Traffic;
  /** By time. */
  readonly steps: readonly NodeStep[];
  /** What its table shows besides latencies. */
  readonly shows: 'requests' | 'join' | 'drain' | 'sessions' | 'logins';
}

export interface PassLength {
  /** Traffic that is not counted, before what is. */
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** Mean of the work of a request, milliseconds at speed 1; its deviation is as large. */
export const WORK_MS = 80;
export const WORK_VARIATION = 1;
/** A request that has no answer by then has failed, and counts as having taken so long. */
export const DEADLINE_MS = 5_000;
const NODES = 12;
const CLASSES: readonly number[] = [1, 2, 4];
/** Speed of twelve equal nodes that can do as much as those of the classes. */
const EQUAL_SPEED = 7 / 3;
/** What a neighbour on its machine leaves of a node's speed, and how long it stays. */
const ANTAGONIST_FACTOR = 0.4;
const ANTAGONIST_STAY_MS = 5_000;
/** A node that has just begun is so much slower, and gets up to speed in steps. */
const COLD_FACTOR = 0.25;
const COLD_MS = 5_000;
const COLD_STEPS = 8;
/** Sessions at a time. Where they are uneven, so many that the busiest asks for about as much as a slow node can do. */
const UNEVEN_SESSIONS = 360;
const EVEN_SESSIONS = 120;
const LONGEST_LIFE_MS = 60_000;
const LOGINS_PER_SECOND = 5;
const IDLE_SESSION_PER_SECOND = 0.2;

export const SCENARIO_NAMES: readonly string[] = [
  'homogeneous',
  'speeds',
  'antagonist',
  'fail-fast',
  'join',
  'drain',
  'sticky',
  'join-sessions',
  'few-logins',
];

/** All scenarios in the order of tables. `utilisation` replaces each one's own, where it has one. */
export function balanceScenarios(length: PassLength, utilisation?: number): readonly BalanceScenario[] {
  const { warmUpMs, measureMs } = length;
  const endMs = warmUpMs + measureMs;
  const equal = Array.from({ length: NODES }, () => EQUAL_SPEED);
  // By turns, so that whoever prefers the first of equals prefers no class.
  const mixed = Array.from({ length: NODES }, (_, i) => CLASSES[i % CLASSES.length]!);
  const last = NODES - 1;
  const eventAtMs = warmUpMs + measureMs / 3;

  const make = (name: string, title: string, usual: number, more: Partial<BalanceScenario>): BalanceScenario => {
    const { speeds = equal, steps = [] } = more;
    const share = utilisation ?? usual;
    const perSecond = share * capacityPerSecond(speeds, name === 'antagonist' ? antagonistLoss() : 0);
    return {
      name,
      title,
      speeds,
      utilisation: share,
      traffic: { kind: 'requests', perSecond },
      steps,
      shows: 'requests',
      ...more,
    };
  };
  const sessions = (name: string, title: string, usual: number, isUneven: boolean, lives: number, more: object) => {
    const scenario = make(name, title, usual, more);
    const lifeMs = Math.min(LONGEST_LIFE_MS, measureMs / lives);
    const perSecond = scenario.utilisation * capacityPerSecond(scenario.speeds, 0);
    return {
      ...scenario,
      traffic: {
        kind: 'sessions',
        perSecond,
        sessions: isUneven ? UNEVEN_SESSIONS : EVEN_SESSIONS,
        lifeMs,
        isUneven,
      } as const,
    };
  };

  return [
    make('homogeneous', 'twelve equal nodes', 0.9, {}),
    make('speeds', 'speeds 1:2:4', 0.9, { speeds: mixed }),
    make('antagonist', 'speeds 1:2:4, one node of each slowed to 0.4, another every 5 s', 0.9, {
      speeds: mixed,
      steps: antagonistSteps(endMs),
    }),
    make('fail-fast', 'one of twelve equal nodes answers 500 at once', 0.7, {
      steps: [{ atMs: 0, node: last, does: { kind: 'fail' } }],
    }),
    make('join', 'a cold node joins eleven equal ones', 0.7, {
      steps: [{ atMs: eventAtMs, node: last, does: { kind: 'join' } }, ...coldSteps(last, eventAtMs)],
      shows: 'join',
    }),
    make('drain', 'one of twelve equal nodes leaves', 0.7, {
      steps: [{ atMs: eventAtMs, node: last, does: { kind: 'leave' } }],
      shows: 'drain',
    }),
    sessions('sticky', 'speeds 1:2:4, sessions of uneven activity', 0.6, true, 2.5, {
      speeds: mixed,
      shows: 'sessions',
    }),
    sessions('join-sessions', 'a node joins eleven equal ones, sessions stay where they are', 0.6, false, 5, {
      steps: [{ atMs: eventAtMs, node: last, does: { kind: 'join' } }],
      shows: 'join',
    }),
    {
      ...make('few-logins', 'few logins, long idle sessions', 0, {}),
      utilisation: 0,
      traffic: { kind: 'logins', loginsPerSecond: LOGINS_PER_SECOND, perSecond: IDLE_SESSION_PER_SECOND },
      shows: 'logins',
    },
  ];
}

/** Requests a second that nodes of these speeds can serve when `lost` of their speed, in units of speed 1, is taken away. */
export function capacityPerSecond(speeds: readonly number[], lost: number): number {
  return ((speeds.reduce((sum, speed) => sum + speed, 0) - lost) * 1_000) / WORK_MS;
}

/** What `node` can do between two instants, milliseconds of work, after its steps. */
export function capacityMs({ speeds, steps }: BalanceScenario, node: number, fromMs: number, toMs: number): number {
  let [factor, sinceMs, sum] = [steps.some((step) => step.node === node && step.does.kind === 'join') ? 0 : 1, 0, 0];
  const until = (atMs: number): void => {
    sum += factor * Math.max(0, Math.min(atMs, toMs) - Math.max(sinceMs, fromMs));
    sinceMs = atMs;
  };
  for (const { atMs, node: whose, does } of steps) {
    if (whose !== node) continue;
    until(atMs);
    if (does.kind === 'speed') factor = does.factor;
    else factor = does.kind === 'join' ? 1 : 0;
  }
  until(toMs);
  return sum * speeds[node]!;
}

/** The same for everybody: in each class one node at a time, the next one every `ANTAGONIST_STAY_MS`. */
function antagonistSteps(endMs: number): readonly NodeStep[] {
  const perClass = NODES / CLASSES.length;
  const steps: NodeStep[] = [];
  for (let turn = 0; turn * ANTAGONIST_STAY_MS < endMs; turn++)
    for (let kind = 0; kind < CLASSES.length; kind++) {
      const nodeOf = (number: number): number => ((number + kind) % perClass) * CLASSES.length + kind;
      const atMs = turn * ANTAGONIST_STAY_MS;
      if (turn > 0) steps.push({ atMs, node: nodeOf(turn - 1), does: { kind: 'speed', factor: 1 } });
      steps.push({ atMs, node: nodeOf(turn), does: { kind: 'speed', factor: ANTAGONIST_FACTOR } });
    }
  return steps;
}

/** Speed that antagonists take at any time. */
function antagonistLoss(): number {
  return CLASSES.reduce((sum, speed) => sum + speed * (1 - ANTAGONIST_FACTOR), 0);
}

/** A node that is slow at first: caches are empty, code is not compiled yet. */
function coldSteps(node: number, atMs: number): readonly NodeStep[] {
  return Array.from({ length: COLD_STEPS + 1 }, (_, i) => ({
    atMs: atMs + (i * COLD_MS) / COLD_STEPS,
    node,
    does: { kind: 'speed', factor: COLD_FACTOR + ((1 - COLD_FACTOR) * i) / COLD_STEPS } as const,
  }));
}
