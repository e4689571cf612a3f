/** A snapshot as frames: parts of at most 100 nodes, each below the bound of the feed. */
import type { Snapshot } from '@rollcall/core';
import { FEED_LIST_CHARS, frameWithLists, SNAPSHOT_PART_NODES } from '@rollcall/feed';

type Kind = 'balancers' | 'remembered' | 'contexts' | 'nodes';
/** JSON texts of the items of one part, joined by commas. */
type Part = Readonly<Record<Kind, string>>;

const NOTHING: Part = { balancers: '', remembered: '', contexts: '', nodes: '' };

/** Snapshots up to this size, UTF-16 units, are kept between counting and sending; larger ones are encoded twice. */
const KEPT_CHARS = 16 * 1024 * 1024;

/** The frames of `snapshot`, without its `commit`. A frame is made when it is requested, because a snapshot can have 100 MiB. */
export function* snapshotFrames(snapshot: Snapshot): Generator<string, void> {
  let kept: Part[] = [];
  let parts = 0;
  let chars = 0;
  for (const part of partsOf(snapshot)) {
    parts += 1;
    chars += part.balancers.length + part.remembered.length + part.contexts.length + part.nodes.length;
    if (chars <= KEPT_CHARS) kept.push(part);
    else kept = [];
  }
  let number = 0;
  for (const lists of chars <= KEPT_CHARS ? kept : partsOf(snapshot))
    yield frameWithLists({ type: 'snapshot', part: number++, parts } as { type: string }, lists);
}

/** The parts, at least one. Balancers come first, so that workers create a balancer with its settings instead of defaults. */
function* partsOf({ balancers, remembered, contexts, nodes }: Snapshot): Generator<Part, void> {
  let part: Record<Kind, string> = { ...NOTHING };
  let chars = 0;
  let nodesIn = 0;
  for (const [kind, items] of [
    ['balancers', balancers],
    ['remembered', remembered],
    ['contexts', contexts],
    ['nodes', nodes],
  ] as const)
    for (const item of items) {
      const text = JSON.stringify(item);
      const isFull = chars > 0 && chars + text.length > FEED_LIST_CHARS;
      if (isFull || (kind === 'nodes' && nodesIn >= SNAPSHOT_PART_NODES)) {
        yield part;
        part = { ...NOTHING };
        chars = 0;
        nodesIn = 0;
      }
      part[kind] = part[kind] === '' ? text : `${part[kind]},${text}`;
      chars += text.length + 1;
      if (kind === 'nodes') nodesIn += 1;
    }
  yield part;
}
