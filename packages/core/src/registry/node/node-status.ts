/**
 * Liveness of a node: the possible changes and their causes.
 *
 * ```
 *             register (new process, unknown url)
 *                     │
 *                     ▼   probe good
 *        ┌───────  joining ───────────────────▶ up ◀─────────────┐
 *        │            ▲                         │                │ heartbeat or register of the same process;
 *        │ lease over,│ register                │ silent,        │ probe good; a worker reports that a member
 *        │ leave,     │ (other process          │ disconnected,  │ without an agent answers
 *        │ remove     │  or url)                │ restarted,     │
 *        │            │                         │ unresponsive   │
 *        ▼            │                         ▼                │
 *       gone ─────────┘◀───────────────────  suspect ────────────┤
 *        │ ▲  ▲        given up, leave, remove  │                │
 *        │ │  │                                 │ given up,      │
 *        │ │  │                                 ▼ static member  │
 *        │ │  └───────────────────────────────  down ────────────┘
 *        │ │              leave, remove             a worker reports that it answers
 *        │ └──────────────────────────────────── up: leave, remove
 *        └─ register of the same process at the same url ──▶ up
 * ```
 *
 * A static member that is down, and whose id an agent registers, is suspect until that process has been probed.
 *
 * After a start, nodes that the store has as present are `suspect` (reason `expected`): they are in the feed, and both
 * witnesses judge them. `joining` and `gone` are not in the feed: no request reaches them. A live node that restarts under its
 * id becomes `suspect`, not `joining`. In `joining` the workers would move its sessions while it is probed. given-up.ts has the
 * rule by which a suspect node is given up.
 */
import type { FeedLiveness, Liveness, Status } from '@rollcall/protocol';

const TRANSITIONS: Readonly<Record<Liveness, readonly Liveness[]>> = {
  joining: ['up', 'gone'],
  up: ['suspect', 'gone'],
  suspect: ['up', 'down', 'gone'],
  down: ['up', 'suspect', 'gone'],
  gone: ['joining', 'up'],
};

/** True when a node may change from one liveness to the other. The same liveness is no change. */
export function isTransition(from: Liveness, to: Liveness): boolean {
  return TRANSITIONS[from].includes(to);
}

/** Throws when a node may not change from one liveness to the other. This is an internal error: no remote party can cause it. */
export function assertTransition(from: Liveness, to: Liveness): void {
  if (!isTransition(from, to)) throw new Error(`a node cannot go from ${from} to ${to}`);
}

/** True when nodes of this liveness are in the feed. */
export function isInFeed(liveness: Liveness): liveness is FeedLiveness {
  return liveness !== 'joining' && liveness !== 'gone';
}

const RESTRICTION: Readonly<Record<Status, number>> = { enabled: 0, draining: 1, stopped: 2 };

/** The status that admits less. */
export function mostRestrictive(one: Status, other: Status): Status {
  return RESTRICTION[one] >= RESTRICTION[other] ? one : other;
}
