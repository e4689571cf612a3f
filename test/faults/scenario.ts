/** Definition of a scenario and of the expected verdict. */
import type { NodeKind } from './cluster.ts';
import type { Fault } from './fault.ts';
import type { Verdict } from './judge.ts';

/** When faults begin, from the start of the schedule. */
export const FAULT_MS = 6_000;

export interface Scenario {
  /** A sentence about what the product does. */
  readonly name: string;
  /** Kinds of the nodes `n1`, `n2`, …; default four with the SDK. */
  readonly nodes?: readonly NodeKind[];
  /** Default 1. */
  readonly workers?: number;
  /** Copies and ready page of `rollcall run`; copies are `n1-1`, `n1-2`. */
  readonly copies?: number;
  readonly ready?: string;
  /** Default 100 requests a second over 40 sessions with 5 % visitors. */
  readonly perSecond?: number;
  readonly residents?: number;
  readonly visitorRatio?: number;
  /** All residents live at this node. */
  readonly residentsAt?: string;
  /** WebSockets and an upload are open to this node. */
  readonly longConnectionsTo?: string;
  /** Each session keeps one connection, and sessions of this worker (1, 2, …) are not judged. */
  readonly cutWorker?: number;
  readonly faults: readonly Fault[];
  /** The expectation is wrong, and the drill must report it. */
  readonly isNegativeControl?: true;
  /** Length of the schedule. The run lasts longer while requests wait. */
  readonly lengthMs: number;
  readonly expect: Expectation;
}

/** Each field is a bound. A field that is left out is not checked. */
export interface Expectation {
  /** No request fails, but for POSTs that were sent before the fault. */
  readonly failed?: 0;
  readonly failedGets?: 0;
  /** No request fails that arrives so long after the fault. */
  readonly failedFromMs?: number;
  /**
   * `none`: no session loses its state. `once`: each session of the failed nodes loses it once, and no other does.
   * `once-repeatedly`: for a node that fails several times: each of its sessions loses it, and none moves to another node twice. One that asks
   * nothing while its node is down finds it restarted, and may lose its state there again.
   */
  readonly lost?: 'none' | 'once' | 'once-repeatedly';
  /** No session moves away from a node that can answer. */
  readonly splits?: 0;
  readonly foreign?: 0;
  readonly movedWithinMs?: number;
  readonly longestWaitMs?: number;
}

/** The differences between `verdict` and `expect`, one sentence each; empty when there are none. */
export function complaints(expect: Expectation, verdict: Verdict): string[] {
  const found: string[] = [...verdict.broken];
  const { failedGets, failedPosts, failedLate, hit, hitLost, otherLost, losses } = verdict;
  const bound = (isWithin: boolean, sentence: string): void => {
    if (!isWithin) found.push(sentence);
  };
  const example = (failed: Verdict['failedGets']): string =>
    failed
      .slice(0, 3)
      .map(({ id, method, error }) => `${id} ${method} ${error}`)
      .join('; ');
  if (expect.failed === 0)
    bound(
      failedGets.length + failedPosts.length === 0,
      `${failedGets.length} GET and ${failedPosts.length} POST failed: ${example([...failedGets, ...failedPosts])}`,
    );
  if (expect.failedGets === 0)
    bound(failedGets.length === 0, `${failedGets.length} GET failed: ${example(failedGets)}`);
  if (expect.failedFromMs !== undefined) {
    bound(verdict.late > 0, 'no request arrived late enough to be judged');
    bound(
      failedLate.length === 0,
      `${failedLate.length} failed that arrived ${expect.failedFromMs} ms after the fault or later: ${example(failedLate)}`,
    );
  }
  if (expect.lost !== undefined) bound(verdict.judged > 0, 'no answer could be judged for lost sessions');
  if (expect.lost === 'none') bound(losses === 0, `sessions lost their state ${losses} times`);
  if (expect.lost === 'once' || expect.lost === 'once-repeatedly') bound(hit > 0, 'the fault hit no session');
  if (expect.lost === 'once-repeatedly') {
    bound(hitLost.never === 0, `of ${hit} sessions of failed nodes ${hitLost.never} lost their state never`);
    bound(verdict.mostMoves <= 1, `a session moved ${verdict.mostMoves} times`);
  }
  if (expect.lost === 'once') {
    bound(
      hitLost.never + hitLost.more === 0,
      `of ${hit} sessions of failed nodes ${hitLost.never} lost their state never, ${hitLost.more} more than once`,
    );
    bound(otherLost.most === 0, `${otherLost.sessions} other sessions lost their state, up to ${otherLost.most} times`);
  }
  if (expect.splits === 0) bound(verdict.splits === 0, `${verdict.splits} moves away from a node that could answer`);
  if (expect.foreign === 0) bound(verdict.foreign === 0, `${verdict.foreign} requests reached a foreign program`);
  if (expect.movedWithinMs !== undefined)
    bound(
      verdict.slowestMoveMs <= expect.movedWithinMs,
      `a session moved after ${Math.round(verdict.slowestMoveMs)} ms, not within ${expect.movedWithinMs} ms`,
    );
  if (expect.longestWaitMs !== undefined)
    bound(verdict.longestWaitMs <= expect.longestWaitMs, `a request waited ${Math.round(verdict.longestWaitMs)} ms`);
  return found;
}

/** The figures of one run, on one line. */
export function figures(verdict: Verdict): string {
  const { hit, hitLost, otherLost } = verdict;
  return [
    `${verdict.requests} requests`,
    `failed ${verdict.failedGets.length} GET ${verdict.failedPosts.length} POST`,
    `excused ${verdict.excused}`,
    `failed late ${verdict.failedLate.length} of ${verdict.late}`,
    `hit ${hit}: never ${hitLost.never}, once ${hitLost.once}, more ${hitLost.more}`,
    `others ${otherLost.sessions}x${otherLost.most}`,
    `losses ${verdict.losses}`,
    `splits ${verdict.splits}`,
    `foreign ${verdict.foreign}`,
    `move ${Math.round(verdict.slowestMoveMs)} ms`,
    `wait ${(verdict.longestWaitMs / 1000).toFixed(1)} s`,
    `broken ${verdict.broken.length}`,
  ].join(', ');
}
