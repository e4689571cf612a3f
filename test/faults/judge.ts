/** Turns a ledger into figures. Pure: the same ledger gives the same verdict. */
import type { Exchange, Ledger, Outage } from './ledger.ts';

/** Name of a program that took the address of a node. */
export const FOREIGN = 'foreign';

export interface Verdict {
  readonly requests: number;
  readonly failedGets: readonly Exchange[];
  /** Without POSTs that were sent before the fault and got 502 or 504. */
  readonly failedPosts: readonly Exchange[];
  /** POSTs that were sent before the fault and got 502 or 504. */
  readonly excused: number;
  /** Failed requests that arrived `lateAfterMs` after the fault or later. */
  readonly failedLate: readonly Exchange[];
  /** Requests that arrived that late. */
  readonly late: number;
  /** Sessions that the fault hit: their last answer before it came from a node with an outage at that time. */
  readonly hit: number;
  /** The hit sessions by the number of times that they lost their state. */
  readonly hitLost: { readonly never: number; readonly once: number; readonly more: number };
  /** Other sessions that lost their state: their count, and the largest number of losses of one session. */
  readonly otherLost: { readonly sessions: number; readonly most: number };
  /** The largest number of changes of one session to another node: a return to its restarted node is a loss, no move. */
  readonly mostMoves: number;
  /** Answers that were judged for lost sessions. */
  readonly judged: number;
  /** Losses over all sessions. */
  readonly losses: number;
  /** Moves of a session away from an instance that could answer. */
  readonly splits: number;
  /** Requests that a foreign program answered. */
  readonly foreign: number;
  /** The longest time until a hit session was answered by another instance, from the fault or its next request on. */
  readonly slowestMoveMs: number;
  readonly longestWaitMs: number;
  readonly broken: readonly string[];
}

/** `lateAfterMs` counts from the first fault. */
export function judge(ledger: Ledger, lateAfterMs: number): Verdict {
  const { exchanges, faultMs, inForceMs, outages } = ledger;
  const failed = exchanges.filter(hasFailed);
  const excused = failed.filter((exchange) => isExcused(exchange, inForceMs));
  const counted = failed.filter((exchange) => !isExcused(exchange, inForceMs));
  const isLate = ({ arrivedMs }: Exchange): boolean => arrivedMs >= faultMs + lateAfterMs;
  const fates = [...bySession(exchanges).values()].map((own) => fateOf(own, ledger, outages));
  const hit = fates.filter(({ isHit }) => isHit);
  const others = fates.filter(({ isHit, losses }) => !isHit && losses > 0);
  return {
    requests: exchanges.length,
    failedGets: counted.filter(({ method }) => method === 'GET'),
    failedPosts: counted.filter(({ method }) => method === 'POST'),
    excused: excused.length,
    failedLate: counted.filter(isLate),
    late: exchanges.filter(isLate).length,
    hit: hit.length,
    hitLost: {
      never: hit.filter(({ losses }) => losses === 0).length,
      once: hit.filter(({ losses }) => losses === 1).length,
      more: hit.filter(({ losses }) => losses > 1).length,
    },
    otherLost: { sessions: others.length, most: Math.max(0, ...others.map(({ losses }) => losses)) },
    mostMoves: Math.max(0, ...fates.map(({ moves }) => moves)),
    judged: fates.reduce((sum, { judged }) => sum + judged, 0),
    losses: fates.reduce((sum, { losses }) => sum + losses, 0),
    splits: fates.reduce((sum, { splits }) => sum + splits, 0),
    foreign: exchanges.filter(({ answer }) => answer?.node === FOREIGN).length,
    slowestMoveMs: Math.max(0, ...hit.map(({ moveMs }) => moveMs ?? 0)),
    longestWaitMs: exchanges.reduce((longest, { arrivedMs, endMs }) => Math.max(longest, endMs - arrivedMs), 0),
    broken: ledger.broken,
  };
}

function hasFailed({ status, error }: Exchange): boolean {
  return error !== undefined || status !== 200;
}

/** A POST that was sent before the node failed may have been executed and cannot be sent again. */
function isExcused({ method, arrivedMs, status }: Exchange, inForceMs: number): boolean {
  return method === 'POST' && arrivedMs < inForceMs && (status === 502 || status === 504);
}

interface Fate {
  readonly isHit: boolean;
  readonly judged: number;
  readonly losses: number;
  readonly moves: number;
  readonly splits: number;
  /** Until the first answer of another instance after the fault; only of hit sessions that moved. */
  readonly moveMs: number | undefined;
}

/**
 * The fate of one session. Its state is in the memory of one instance. Each change of instance loses the state, in the order in
 * which the nodes answered. An earlier instance has an older state, other instances have none.
 */
function fateOf(own: readonly Exchange[], ledger: Ledger, outages: readonly Outage[]): Fate {
  const { faultMs, inForceMs, judgedWorker } = ledger;
  const answered = own
    .filter(({ answer, worker }) => answer !== undefined && (judgedWorker === undefined || worker === judgedWorker))
    .sort((a, b) => a.answer!.atMs - b.answer!.atMs);
  // While a fault is coming into force, a failing node may still answer and sessions may already move.
  const before = answered.findLast(({ answer }) => {
    const { atMs, node } = answer!;
    return atMs < faultMs || (atMs < inForceMs && isOut(outages, node, atMs, atMs));
  });
  const after = before === undefined ? [] : answered.slice(answered.indexOf(before) + 1);
  const isHit =
    before !== undefined && after.length > 0 && isOut(outages, before.answer!.node, before.answer!.atMs, inForceMs);
  let losses = 0;
  let moves = 0;
  let splits = 0;
  let last: Exchange | undefined;
  for (const exchange of answered) {
    if (last !== undefined && last.answer!.instance !== exchange.answer!.instance) {
      losses++;
      if (last.answer!.node !== exchange.answer!.node) moves++;
      if (!isOut(outages, last.answer!.node, last.answer!.atMs, exchange.answer!.atMs)) splits++;
    }
    last = exchange;
  }
  const moved = isHit ? after.find(({ answer }) => answer!.instance !== before.answer!.instance) : undefined;
  // An excused POST is not sent again. The session moves with its next request.
  const asked = own.filter((exchange) => exchange.endMs >= faultMs && !isExcused(exchange, inForceMs));
  const askedMs = Math.min(...asked.map(({ arrivedMs }) => arrivedMs));
  const moveMs = moved && moved.endMs - Math.max(faultMs, askedMs);
  return { isHit, judged: answered.length, losses, moves, splits, moveMs };
}

/** The node had an outage at some time from `fromMs` to `toMs`, both included. */
function isOut(outages: readonly Outage[], node: string, fromMs: number, toMs: number): boolean {
  return outages.some((outage) => outage.node === node && outage.fromMs <= toMs && outage.toMs >= fromMs);
}

function bySession(exchanges: readonly Exchange[]): Map<string, Exchange[]> {
  const sessions = new Map<string, Exchange[]>();
  for (const exchange of exchanges) {
    const own = sessions.get(exchange.session);
    if (own) own.push(exchange);
    else sessions.set(exchange.session, [exchange]);
  }
  return sessions;
}
