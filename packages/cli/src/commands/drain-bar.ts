/** The line of `drain --wait` on a terminal: a bar, and the numbers of all nodes together. Pure. */
import { compactDuration, type NodeResource } from '@rollcall/protocol';
import { counted } from '../format.ts';

/** Characters of the bar. */
const BAR = 20;

/**
 * `[#####---------------] 12 sessions, 3 used in the last minute, 1 in flight, empty in about 9m, at most 14m more`. `most`: the largest
 * number of sessions so far. The line is cut to `columns`.
 */
export function barText(nodes: readonly NodeResource[], most: number, nowUnixMs: number, columns: number): string {
  const drains = nodes.flatMap(({ drain }) => drain ?? []);
  const sum = (read: (drain: (typeof drains)[number]) => number): number =>
    drains.reduce((total, drain) => total + read(drain), 0);
  const sessions = sum(({ sessionsLeft }) => sessionsLeft);
  const filled = most === 0 ? BAR : Math.floor((BAR * (most - Math.min(most, sessions))) / most);
  const isUsed = drains.every(({ usedInLastMinute }) => usedInLastMinute !== undefined);
  const ends = drains.map(({ emptyAtUnixMs }) => emptyAtUnixMs);
  const deadlines = nodes.map((node) => node.wanted.deadlineAtUnixMs ?? node.reported.deadlineAtUnixMs);
  const waiting = [...new Set(drains.flatMap(({ waitingFor }) => waitingFor))];
  const parts = [
    counted(sessions, 'session'),
    ...(isUsed ? [`${sum(({ usedInLastMinute = 0 }) => usedInLastMinute)} used in the last minute`] : []),
    `${sum(({ inFlight, tunnels }) => inFlight + tunnels)} in flight`,
    ...latest(ends, nowUnixMs).map((left) => `empty in about ${left}`),
    ...latest(deadlines, nowUnixMs).map((left) => `at most ${left} more`),
    ...(waiting.length === 0 ? [] : [`waiting for ${waiting.join(', ')}`]),
  ];
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}] ${parts.join(', ')}`.slice(0, Math.max(0, columns - 1));
}

/** Time until the latest of these instants; nothing if one is unknown. */
function latest(atUnixMs: readonly (number | undefined)[], nowUnixMs: number): string[] {
  if (atUnixMs.length === 0 || atUnixMs.includes(undefined)) return [];
  const leftMs = Math.max(...atUnixMs.map((at = 0) => at)) - nowUnixMs;
  return [compactDuration(Math.max(0, leftMs))];
}
