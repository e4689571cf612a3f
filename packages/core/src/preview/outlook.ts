/**
 * What becomes of the others when nodes take no more work: utilisation and p99 before and after, estimated from arrival rates and service
 * times. Pure: no registry, no clock.
 *
 * - **Who gets the work.** Each remaining node keeps its own arrivals. Those of the lost nodes are divided by capacity, servers over service
 *   time, which is what the algorithms tend to.
 * - **Bound work** (sessions): each node is an M/M/c queue of its own, and the p99 is that of the mixture of all of them.
 * - **Free work**: all nodes are one M/M/c queue with all servers. The algorithms send a request to a free node, so this is closer than
 *   queues of their own.
 * - **Time outside the servers**, such as a program that waits for its database, is not in the model. It is in the measured p99, to which
 *   only the difference between both estimates is added.
 *
 * Within a factor of 1.5 of the simulator for p99, and 10 % for the utilisation, up to a utilisation of 85 % afterwards
 * (`preview.test.ts` of packages/simulator).
 */
import { type Queue, tailOf, utilisationOf } from './queue.ts';

/** Above this utilisation the p99 depends on chance: it is not estimated. */
const SATURATED = 0.95;
const QUANTILE_TAIL = 0.01;
/** Halvings of the interval that holds a quantile. */
const STEPS = 50;

export interface Outlook {
  /** 0 … 1, above 1 when the work exceeds the capacity. */
  readonly utilisation: number;
  /** Absent when saturated. */
  readonly p99Ms?: number;
}

export interface Change {
  /** The nodes that remain, with at least one. */
  readonly staying: readonly Queue[];
  /** Requests per second of the nodes that take no more work. */
  readonly lostPerSecond: number;
  /** Requests belong to sessions and cannot be placed freely. */
  readonly isBound: boolean;
  /** p99 of the remaining nodes as measured, milliseconds; `undefined` if not measured. */
  readonly measuredP99Ms: number | undefined;
}

/** The remaining nodes now, and with the work of the lost ones. */
export function outlook(change: Change): { readonly before: Outlook; readonly after: Outlook } {
  const { staying, lostPerSecond, isBound, measuredP99Ms } = change;
  const capacity = staying.reduce((sum, queue) => sum + capacityOf(queue), 0);
  const loaded = staying.map((queue) => ({
    ...queue,
    perSecond: queue.perSecond + (lostPerSecond * capacityOf(queue)) / capacity,
  }));
  const before = estimate(staying, isBound);
  const after = estimate(loaded, isBound);
  if (measuredP99Ms === undefined) return { before, after };
  const grown =
    after.p99Ms === undefined ? {} : { p99Ms: measuredP99Ms + Math.max(0, after.p99Ms - (before.p99Ms ?? 0)) };
  return {
    before: { utilisation: before.utilisation, p99Ms: measuredP99Ms },
    after: { utilisation: after.utilisation, ...grown },
  };
}

/** Requests per second at which all servers are busy. */
function capacityOf({ servers, serviceMs }: Queue): number {
  return (servers * 1_000) / serviceMs;
}

function estimate(nodes: readonly Queue[], isBound: boolean): Outlook {
  const pool = pooled(nodes);
  const utilisation = utilisationOf(pool);
  const queues = isBound ? nodes : [pool];
  if (utilisation >= SATURATED || queues.some((queue) => utilisationOf(queue) >= 1)) return { utilisation };
  return { utilisation, p99Ms: p99Of(queues, pool.perSecond) };
}

/** All nodes as one queue, with the mean service time of their requests at full use. */
function pooled(nodes: readonly Queue[]): Queue {
  let [perSecond, servers, capacity] = [0, 0, 0];
  for (const node of nodes) {
    perSecond += node.perSecond;
    servers += node.servers;
    capacity += capacityOf(node);
  }
  return { perSecond, servers, serviceMs: (servers * 1_000) / capacity };
}

function p99Of(queues: readonly Queue[], perSecond: number): number {
  const tail = (afterMs: number): number =>
    queues.reduce((sum, queue) => sum + (queue.perSecond / perSecond) * tailOf(queue, afterMs), 0);
  let high = 1;
  while (tail(high) > QUANTILE_TAIL && high < 1e9) high *= 2;
  let low = 0;
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (tail(middle) > QUANTILE_TAIL) low = middle;
    else high = middle;
  }
  return high;
}
