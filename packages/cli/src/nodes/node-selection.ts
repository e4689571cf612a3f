/** Which nodes `rollcall nodes` lists, and in which order. */
import type { NodeResource } from '@rollcall/protocol';
import { CliFailure, EXIT } from '../exit.ts';

/** Words of `--status`: statuses, states of presence, and `ejected`. */
const STATUS_WORDS: readonly string[] = [
  'enabled',
  'draining',
  'stopped',
  'up',
  'suspect',
  'joining',
  'down',
  'missing',
  'gone',
  'ejected',
];

export const STATUS_HELP: string = `only nodes with one of these states: ${STATUS_WORDS.join(', ')}; several with commas`;

/** A predicate for `--status`. Fails with exit 2 for a word that is no state. */
export function statusFilter(text: string | undefined): (node: NodeResource) => boolean {
  if (text === undefined) return () => true;
  const words = new Set(text.split(','));
  for (const word of words)
    if (!STATUS_WORDS.includes(word))
      throw new CliFailure(`--status ${JSON.stringify(word)} is none of ${STATUS_WORDS.join(', ')}`, EXIT.usage);
  return ({ status, liveness, observed }) =>
    words.has(status) || words.has(liveness) || (words.has('ejected') && observed.isEjected);
}

type Order = (one: NodeResource, other: NodeResource) => number;

/** Names ascending, figures descending: the nodes that need a look come first. */
const ORDERS: Readonly<Record<string, Order>> = {
  name: () => 0,
  load: (one, other) => (other.load ?? -1) - (one.load ?? -1),
  sessions: (one, other) => other.sessions - one.sessions,
  'in-flight': (one, other) => other.inFlight - one.inFlight,
  errors: (one, other) => errorsOf(other) - errorsOf(one),
  latency: (one, other) => other.observed.latencyMs - one.observed.latencyMs,
  age: (one, other) => other.registeredAtUnixMs - one.registeredAtUnixMs,
};

export const SORT_KEYS: readonly string[] = Object.keys(ORDERS);

/** The nodes in the order of this key; nodes that are equal keep their order, by balancer and name. */
export function sortedNodes(nodes: readonly NodeResource[], key: string): readonly NodeResource[] {
  return nodes.toSorted(ORDERS[key]!);
}

function errorsOf({ observed: { recent } }: NodeResource): number {
  return recent ? recent.errorRatio : 0;
}
