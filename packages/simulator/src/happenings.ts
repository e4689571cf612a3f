/** External influences on nodes: antagonists that reduce their speed, and the events of the scenario. */
import type { Rng } from '@rollcall/core';
import { exponential } from './chance.ts';
import type { EventHeap } from './event-heap.ts';
import type { Happening, NodeGroup, Scenario } from './scenario.ts';
import type { Job, SimNode } from './sim-node.ts';

/** The parts of a run that events change. Nodes that join are appended to `nodes`. */
export interface Surroundings<J extends Job> {
  readonly heap: EventHeap;
  readonly now: () => number;
  readonly nodes: readonly SimNode<J>[];
  readonly scenario: Scenario;
}

export interface HappeningListener<J extends Job> {
  /** Appends a node to `nodes`. */
  readonly onJoin: (group: Omit<NodeGroup, 'count'>) => void;
  /** Called after nodes have joined, left or changed their status. */
  readonly onMembership: () => void;
  readonly onCrash: (node: SimNode<J>) => void;
}

/** Number of steps in which a cold node reaches full speed. */
const WARMING_STEPS = 20;

/** Keeps a fixed number of nodes slowed. Each antagonist moves to another random node after an exponential time. */
export function planAntagonists<J extends Job>({ heap, now, nodes, scenario }: Surroundings<J>, rng: Rng): void {
  if (scenario.antagonists === undefined) return;
  const { share, factor, stayMs } = scenario.antagonists;
  const { length } = nodes;
  const slowed = new Set<number>();
  const stay = exponential(stayMs, rng);
  const settle = (): void => {
    let node = Math.floor(rng() * length);
    while (slowed.has(node)) node = Math.floor(rng() * length);
    slowed.add(node);
    nodes[node]!.slowTo(factor);
    heap.plan(now() + stay(), () => {
      nodes[node]!.slowTo(1);
      slowed.delete(node);
      settle();
    });
  };
  for (let i = 0; i < Math.min(length - 1, Math.round(share * length)); i++) settle();
}

/** Plans the events of the scenario. */
export function planHappenings<J extends Job>(at: Surroundings<J>, listener: HappeningListener<J>): void {
  for (const happening of at.scenario.events ?? []) at.heap.plan(happening.atMs, () => happen(happening, at, listener));
}

function happen<J extends Job>(event: Happening, at: Surroundings<J>, listener: HappeningListener<J>): void {
  if (event.does === 'join') {
    for (let i = 0; i < event.count; i++) {
      listener.onJoin({ speed: event.speed });
      warm(at.nodes.at(-1)!, event, at);
    }
    listener.onMembership();
    return;
  }
  const node = at.nodes[event.node]!;
  switch (event.does) {
    case 'slow':
      node.slowTo(event.factor);
      break;
    case 'fail':
    case 'break':
      node.health = event.does === 'fail' ? 'fails' : 'breaks';
      node.failsWithinMs = event.withinMs;
      break;
    case 'crash':
      node.health = 'crashed';
      listener.onCrash(node);
      break;
    case 'recover':
      node.health = 'well';
      node.slowTo(1);
      break;
    case 'drain':
      node.isEnabled = false;
      listener.onMembership();
      break;
    case 'leave':
      node.isEnabled = false;
      node.goneAtMs = at.now();
      listener.onMembership();
      break;
    default:
      event satisfies never;
  }
}

function warm<J extends Job>(
  node: SimNode<J>,
  { coldFactor = 1, rampMs = 0 }: { readonly coldFactor?: number; readonly rampMs?: number },
  { heap, now }: Surroundings<J>,
): void {
  if (coldFactor === 1 || rampMs === 0) return;
  for (let step = 0; step <= WARMING_STEPS; step++) {
    const part = step / WARMING_STEPS;
    heap.plan(now() + part * rampMs, () => node.warmTo(coldFactor + part * (1 - coldFactor)));
  }
}
