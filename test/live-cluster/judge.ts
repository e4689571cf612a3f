/**
 * Compares the record of the client with the faults of the cluster. Pure: the same ledgers, the same verdict.
 *
 * Failed = no complete answer, status 500 and above, over 5 s, or a wrong count. Only requests in flight on a killed
 * node are excused, if they were not repeatable or their answer had begun.
 */
import type { Visit } from './ledger.ts';
import type { SiteName } from './schedule.ts';

/** One life of a node. Instants are on the machine's monotonic clock. */
export interface Life {
  readonly instance: string;
  readonly node: string;
  readonly site: SiteName;
  readonly upMs: number;
  /** When it got the signal to end, or was killed; `Infinity` while it lives. */
  endMs: number;
  /** When it was found dead, after a kill: earlier requests may have reached it. */
  deadMs: number;
  end: 'none' | 'killed' | 'terminated';
}

export interface Verdict {
  readonly requests: number;
  readonly sessions: number;
  readonly failed: readonly string[];
  /** In flight on a killed node, and not repeatable or already begun. */
  readonly excused: number;
  /** In flight on a killed node, over all kills. */
  readonly atRisk: number;
  /** Sessions that answered from another node while their own was there. */
  readonly strayed: readonly string[];
  /** Sessions that continued at another node after the end of their node. */
  readonly moved: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const LIMIT_MS = 5_000;

/** `started` has, by request id, the instance on which a request did not end. */
export function judge(
  visits: readonly Visit[],
  lives: readonly Life[],
  unfinished: ReadonlyMap<string, { readonly instance: string; readonly hasHead: boolean }>,
): Verdict {
  const byInstance = new Map(lives.map((life) => [life.instance, life]));
  const failed: string[] = [];
  const strayed: string[] = [];
  let excused = 0;
  let moved = 0;
  const sessions = bySession(visits);
  for (const ofSession of sessions.values()) {
    let last: Visit | undefined;
    for (const visit of ofSession.sort((a, b) => a.sentMs - b.sentMs)) {
      const why = faultOf(visit);
      if (why !== undefined) {
        if (isExcused(visit, lives, unfinished)) excused++;
        else failed.push(`${visit.id} ${visit.kind} of ${visit.session}: ${why}${nearestKill(visit, lives)}`);
        continue;
      }
      if (last !== undefined && last.instance !== visit.instance) {
        const home = byInstance.get(last.instance ?? '');
        if (home !== undefined && home.endMs <= visit.doneMs) moved++;
        else
          strayed.push(
            `${visit.id} of ${visit.session}: ${last.instance} then ${visit.instance}${beforeEnd(visit, home)}`,
          );
        if (visit.count !== undefined && visit.count !== 1)
          failed.push(`${visit.id} of ${visit.session}: count ${visit.count} on a new node`);
      } else if (visit.count !== undefined) {
        const expected = (last?.count ?? 0) + 1;
        if (visit.count !== expected)
          failed.push(`${visit.id} of ${visit.session}: count ${visit.count}, expected ${expected}`);
      }
      last = visit;
    }
  }
  const latencies = visits.map((visit) => visit.doneMs - visit.sentMs).sort((a, b) => a - b);
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return {
    requests: visits.length,
    sessions: sessions.size,
    failed,
    excused,
    atRisk: unfinished.size,
    strayed,
    moved,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
  };
}

function faultOf(visit: Visit): string | undefined {
  if (visit.error !== undefined)
    return `${visit.error}${visit.status === undefined ? '' : ` (status ${visit.status})`}`;
  if (visit.status === undefined || visit.status >= 400) return `status ${visit.status}`;
  if (visit.doneMs - visit.sentMs > LIMIT_MS) return `took ${Math.round(visit.doneMs - visit.sentMs)} ms`;
  return undefined;
}

/**
 * In flight on a node when it was killed, and not repeatable or already begun. The ledger of the node lacks requests that it had
 * not read yet. Such a request counts as in flight if it was open at that instant, got 502, and had no route of another node.
 */
function isExcused(
  visit: Visit,
  lives: readonly Life[],
  unfinished: ReadonlyMap<string, { readonly instance: string; readonly hasHead: boolean }>,
): boolean {
  const isUnrepeatable = visit.kind === 'post' || visit.kind === 'chunked' || visit.kind === 'slow-post';
  const at = unfinished.get(visit.id);
  return lives.some((life) => {
    if (life.end !== 'killed' || life.site !== visit.site || visit.sentMs > life.deadMs || visit.doneMs < life.endMs)
      return false;
    if (at !== undefined) return at.instance === life.instance && (isUnrepeatable || at.hasHead);
    return isUnrepeatable && visit.status === 502 && (visit.sentRoute === undefined || visit.sentRoute === life.node);
  });
}

/** For diagnosis: time between the answer of another node and the end of the session's node. */
function beforeEnd(visit: Visit, home: Life | undefined): string {
  if (home === undefined || home.endMs === Number.POSITIVE_INFINITY) return '';
  return `, ${(home.endMs - visit.doneMs).toFixed(1)} ms before the end of ${home.node}`;
}

/** For diagnosis: time between the last kill of its site and a failed request. */
function nearestKill(visit: Visit, lives: readonly Life[]): string {
  const kills = lives.filter((life) => life.end === 'killed' && life.site === visit.site && life.endMs <= visit.doneMs);
  const last = kills.sort((a, b) => b.endMs - a.endMs)[0];
  if (last === undefined) return '';
  return `; asked for ${visit.sentRoute ?? 'nobody'}, sent ${(visit.sentMs - last.endMs).toFixed(1)} ms after the kill of ${last.node}, over ${(visit.doneMs - last.endMs).toFixed(1)} ms after it`;
}

/** New sessions of a site at a node that joined. */
export interface JoinVerdict {
  readonly node: string;
  /** From being up to the answer to its first new session. */
  readonly firstSessionMs: number;
  /** New sessions in the ten seconds after it was up, over its fair share of them. */
  readonly shareRatio: number;
}

/** Judges one join by the first visits of sessions; fair is one over the nodes of the site that were there. */
export function judgeJoin(life: Life, visits: readonly Visit[], lives: readonly Life[]): JoinVerdict {
  let own = 0;
  let fair = 0;
  let firstSessionMs = Number.POSITIVE_INFINITY;
  for (const visit of visits) {
    if (visit.site !== life.site || visit.index !== 0 || visit.instance === undefined || visit.sentMs < life.upMs)
      continue;
    if (visit.instance === life.instance) firstSessionMs = Math.min(firstSessionMs, visit.doneMs - life.upMs);
    if (visit.sentMs > life.upMs + 10_000 || visit.sentMs > life.endMs) continue;
    const there = lives.filter(
      (other) => other.site === life.site && other.upMs <= visit.sentMs && visit.sentMs < other.endMs,
    ).length;
    fair += 1 / there;
    if (visit.instance === life.instance) own++;
  }
  return { node: life.node, firstSessionMs, shareRatio: fair === 0 ? 0 : own / fair };
}

function bySession(visits: readonly Visit[]): Map<string, Visit[]> {
  const sessions = new Map<string, Visit[]>();
  for (const visit of visits) {
    const ofSession = sessions.get(visit.session);
    if (ofSession) ofSession.push(visit);
    else sessions.set(visit.session, [visit]);
  }
  return sessions;
}
