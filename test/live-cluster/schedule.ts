/**
 * The requests of the client and their times, made from a seed before the start. So a slow cluster cannot slow down its own test
 * (open loop).
 */
import { seededRng } from '@rollcall/core';

export const SITE_NAMES = ['files', 'guess', 'express', 'fastify', 'urls', 'servlet', 'app', 'wiki', 'bounds'] as const;

/** A program behind its own host name and balancer; the balancer has the same name. */
export type SiteName = (typeof SITE_NAMES)[number];

/**
 * Kind of one request. `slow` and `slow-post` are answered after `holdMs`; `stream` sends the response head at once
 * and the rest after `holdMs`.
 */
export type VisitKind = 'get' | 'post' | 'chunked' | 'slow' | 'slow-post' | 'stream';

/** One request of one session. */
export interface ScheduledVisit {
  /** From the start of the schedule. */
  readonly dueMs: number;
  readonly site: SiteName;
  readonly session: string;
  /** 0 is the session's first. */
  readonly index: number;
  readonly kind: VisitKind;
  readonly holdMs: number;
  /** On a connection of its own, closed afterwards; otherwise on a kept-alive one where there is one. */
  readonly isFresh: boolean;
}

/** Visitors of one site. */
export interface SiteTraffic {
  readonly site: SiteName;
  /** Beside the residents; 0 for none. */
  readonly newSessionsPerSecond: number;
  /** Fewest and most visits of a session. */
  readonly visits: readonly [number, number];
  /** Mean time between two visits of a session; the actual times are spread evenly from half of it to one and a half. */
  readonly gapMs: number;
  /** False: GET only. */
  readonly posts: boolean;
  /** Sessions that start in the first second and come back until the end. */
  readonly residents: number;
  /** Mean time between two visits of a resident, spread as `gapMs` is. Default 3,000. */
  readonly residentGapMs?: number;
}

/** Many slow requests of new sessions at about the same time, when the test asks for them. */
export interface Burst {
  readonly site: SiteName;
  readonly spanMs: number;
  readonly requests: number;
  readonly holdMs: number;
}

export interface Plan {
  readonly seed: number;
  readonly durationMs: number;
  readonly traffic: readonly SiteTraffic[];
  /** They begin together. */
  readonly bursts?: readonly Burst[];
}

const FRESH_RATIO = 0.25;
const POST_RATIO = 0.25;
const CHUNKED_RATIO = 0.15;
const RESIDENT_GAP_MS = 3_000;

/** All visits of a plan, by `dueMs`; the same for the same plan. Visits of a session are at least a few milliseconds apart. */
export function schedule(plan: Plan): readonly ScheduledVisit[] {
  const rng = seededRng(plan.seed);
  const visits: ScheduledVisit[] = [];
  let sessions = 0;
  const addSession = (traffic: SiteTraffic, startMs: number, count: number, gapMs: number): void => {
    const session = `${traffic.site}/${sessions++}`;
    let dueMs = startMs;
    for (let index = 0; index < count && dueMs < plan.durationMs; index++) {
      const kind = traffic.posts ? visitKind(rng()) : 'get';
      visits.push({ dueMs, site: traffic.site, session, index, kind, holdMs: 0, isFresh: rng() < FRESH_RATIO });
      dueMs += gapMs * (0.5 + rng());
    }
  };
  for (const traffic of plan.traffic) {
    for (let n = 0; n < traffic.residents; n++) {
      addSession(traffic, rng() * 1_000, Number.POSITIVE_INFINITY, traffic.residentGapMs ?? RESIDENT_GAP_MS);
    }
    const [fewest, most] = traffic.visits;
    const meanMs = 1_000 / traffic.newSessionsPerSecond;
    for (let startMs = meanMs * rng(); startMs < plan.durationMs; startMs += meanMs * -Math.log(1 - rng())) {
      addSession(traffic, startMs, fewest + Math.floor(rng() * (most - fewest + 1)), traffic.gapMs);
    }
  }
  return visits.sort((a, b) => a.dueMs - b.dueMs);
}

/** The visits of the burst that begins at `atMs`; `name` is a prefix of its session ids. */
export function burstVisits({ site, spanMs, requests, holdMs }: Burst, name: string, atMs: number): ScheduledVisit[] {
  return Array.from({ length: requests }, (_, n) => ({
    dueMs: atMs + (spanMs * n) / requests,
    site,
    session: `${site}/${name}-${n}`,
    index: 0,
    kind: burstKind(n),
    holdMs,
    isFresh: n % 4 === 0,
  }));
}

function visitKind(random: number): VisitKind {
  if (random < POST_RATIO) return 'post';
  return random < POST_RATIO + CHUNKED_RATIO ? 'chunked' : 'get';
}

/** Six of ten can be repeated elsewhere, two cannot, two have begun to answer. */
function burstKind(n: number): VisitKind {
  const digit = n % 10;
  if (digit === 3 || digit === 8) return 'slow-post';
  return digit === 1 || digit === 6 ? 'stream' : 'slow';
}
