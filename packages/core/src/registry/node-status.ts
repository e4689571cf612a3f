/**
 * Liveness of a node: which changes there are, and what causes each.
 *
 * ```
 *                register (new process, unknown url)
 *                        │
 *                        ▼     probe good
 *        ┌──────────  joining ─────────────────────▶ up ◀────────────┐
 *        │               ▲                           │               │
 *        │ lease over,   │ register                  │ silent,       │ heartbeat or register of the
 *        │ leave,        │ (other process            │ disconnected, │ same process; probe good
 *        │ remove        │  or url)                  │ probe bad,    │
 *        │               │                           │ restarted     │
 *        ▼               │                           ▼               │
 *       gone ────────────┘◀───────────────────── suspect ────────────┘
 *        │  ▲            lease over, leave, remove
 *        │  └──────────────────────────────────────── up: leave, remove
 *        └─ register of the same process at the same url ──▶ up
 * ```
 *
 * `joining` and `gone` are not in the feed: no request reaches them. `suspect` keeps its sessions and gets no new ones.
 * A live node that restarts under its id goes through `suspect`, not `joining`, so that its sessions are not told
 * that their node is gone in the moment it takes to probe the new process.
 */
import type { Liveness, Status } from '@rollcall/protocol';

const TRANSITIONS: Readonly<Record<Liveness, readonly Liveness[]>> = {
  joining: ['up', 'gone'],
  up: ['suspect', 'gone'],
  suspect: ['up', 'gone'],
  // Set by following other coordinators, where a node of a lost one waits to be taken over.
  orphaned: ['up', 'suspect', 'gone'],
  gone: ['joining', 'up'],
};

/** True when a node may go from one liveness to the other. A change to the same is none. */
export function isTransition(from: Liveness, to: Liveness): boolean {
  return TRANSITIONS[from].includes(to);
}

/** Throws when a node may not go from one liveness to the other: that is our bug, no remote party can cause it. */
export function assertTransition(from: Liveness, to: Liveness): void {
  if (!isTransition(from, to)) throw new Error(`a node cannot go from ${from} to ${to}`);
}

/** True when nodes of this liveness are in the feed. */
export function isInFeed(liveness: Liveness): liveness is 'up' | 'suspect' | 'orphaned' {
  return liveness === 'up' || liveness === 'suspect' || liveness === 'orphaned';
}

const RESTRICTION: Readonly<Record<Status, number>> = { enabled: 0, draining: 1, stopped: 2 };

/** The status that lets less through. */
export function mostRestrictive(one: Status, other: Status): Status {
  return RESTRICTION[one] >= RESTRICTION[other] ? one : other;
}
