/** `3 sessions`, `1 session and 2 seen once`: the sessions of nodes, for people. */
export function sessionsText(sessions: number, sessionsSeenOnce: number): string {
  const seenAgain = `${sessions} ${sessions === 1 ? 'session' : 'sessions'}`;
  return sessionsSeenOnce > 0 ? `${seenAgain} and ${sessionsSeenOnce} seen once` : seenAgain;
}
