/** The numbers of sessions of a node, from the counts of the workers and the number that the node reports. Pure. */

/** Active sessions of a node. */
export interface SessionNumbers {
  /** Seen again: a request has sent the id of the session. */
  readonly sessions: number;
  /** Seen once: an answer has opened the session, and no request has sent its id. */
  readonly sessionsSeenOnce: number;
}

/**
 * The numbers to show and to wait for. The number that the node reports replaces the sum, but it has no kinds. So the sessions
 * that the workers have seen once are subtracted from it, down to what the workers have seen again.
 */
export function sessionNumbers(reported: number | undefined, counted: SessionNumbers): SessionNumbers {
  if (reported === undefined) return { sessions: counted.sessions, sessionsSeenOnce: counted.sessionsSeenOnce };
  const sessions = Math.min(reported, Math.max(counted.sessions, reported - counted.sessionsSeenOnce));
  return { sessions, sessionsSeenOnce: reported - sessions };
}
