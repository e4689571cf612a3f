/** Makes, reads and compares the nodes of the feed, by the table of their fields. */
import type { Fields } from '@rollcall/protocol';
import type { Field, Presence } from './field.ts';
import { type FeedNode, type FeedNodeValues, NODE_FIELDS } from './node-fields.ts';

type Values = Record<string, unknown>;

const FIELDS: readonly (readonly [name: string, field: Field<unknown, Presence>])[] = Object.entries(NODE_FIELDS);
const PLACEMENT = FIELDS.filter(([, { isPlacement }]) => isPlacement);
/** A node without values. A new node is a copy of it, so that all have one shape, and no hash table as if fields were added by name. */
const EMPTY: Values = JSON.parse(JSON.stringify(Object.fromEntries(FIELDS.map(([name]) => [name, null]))));
for (const [name, { absent }] of FIELDS) EMPTY[name] = absent;

/** A node with these values. An absent value gets its default. */
export function newFeedNode(values: FeedNodeValues): FeedNode {
  const node: Values = { ...EMPTY };
  for (const [name] of FIELDS) {
    const value = (values as Values)[name];
    if (value !== undefined) node[name] = value;
  }
  return node as FeedNode;
}

/** Reads one node, also from a saved snapshot. `undefined` if a required field is missing; a fault is in `fields`. */
export function readFeedNode(fields: Fields): FeedNode | undefined {
  const node: Values = { ...EMPTY };
  for (const [name, { read, presence }] of FIELDS) {
    const value = read(fields, name);
    if (value !== undefined) node[name] = value;
    else if (presence === 'required') return undefined;
  }
  return node as FeedNode;
}

/** True if the same requests can be routed to both: only liveness, load and other facts differ that need no new context table. */
export function isSamePlacement(one: FeedNode, other: FeedNode): boolean {
  for (const [name, { isSame }] of PLACEMENT) {
    const [first, second] = [(one as Values)[name], (other as Values)[name]];
    if (first !== second && (first === undefined || second === undefined || !isSame(first, second))) return false;
  }
  return true;
}
