/**
 * When requests that fail keep a node away from further requests, and when it comes back.
 *
 * ```
 *          refused, unreachable, 5 failures in a row, or an outlier
 *        in ────────────────────────────────────────────────────▶ ejected ◀─────────┐
 *        ▲                                                         │    ▲           │ probe failed: wait
 *        │ probe good, when it had been ejected for its connection │    └───────────┘ twice as long
 *        ├─────────────────────────────────────────────────────────┤
 *        │                                  probe good, otherwise  │
 *        │                                                         ▼
 *        │ answer       trying ◀────────── request sent ───────── trial ◀──┐
 *        └───────────────┤  └── the client left ─────────────────────────┘
 *                        └── failed, or an error of an outlier ──▶ ejected, twice as long
 * ```
 *
 * `trial` admits one request, `trying` waits for its answer. The wait before a probe is 1 s and doubles up to 30 s;
 * it starts at 1 s again when the node was well for 30 s. What a client causes never counts. An answer with status 500
 * by itself does not either, because an application that fails on one page is not a failing node: only where one node
 * stands out against the others (`OutlierWatch`) is it ejected for its answers, and then it has to answer well to return.
 *
 * @see Envoy's outlier detection for the consecutive rule and the limit on how many may be ejected.
 */

/** Failures in a row that eject. */
export const MAX_CONSECUTIVE_FAILURES = 5;
/** First wait, milliseconds. */
export const MIN_EJECT_MS = 1_000;
/** Longest wait, milliseconds. */
export const MAX_EJECT_MS = 30_000;

/**
 * `connect`: nothing accepted a connection. `failures`: connections were accepted, requests failed. `outlier`: it answered,
 * much worse than the others.
 */
export type EjectCause = 'connect' | 'failures' | 'outlier';

export type EjectionPhase = 'in' | 'ejected' | 'trial' | 'trying';

export interface EjectionState {
  readonly phase: EjectionPhase;
  /** Failures in a row while `in`, or while only its sessions are left. */
  readonly failures: number;
  readonly cause: EjectCause;
  /** Ejections without a time of being well between them. */
  readonly ejections: number;
  /** `ejected`: instant of the next probe. `in`: instant it was readmitted. */
  readonly sinceOrUntilMs: number;
}

/** What was seen of a node. */
export type Observation =
  /** A response head came. */
  | 'answered'
  /** The same with a status of 500 or above. Counts as an answer, but not to readmit an outlier. */
  | 'erred'
  /** Among its answers it stands out against the other nodes, as `OutlierWatch` tells. */
  | 'outlier'
  /** A connection broke, timed out, or brought no HTTP. */
  | 'failed'
  /** A connect was refused: nothing listens. */
  | 'refused'
  /** A connect found nobody in time. */
  | 'unreachable'
  /** A request was sent while on trial. */
  | 'sent'
  /** The client went away before the answer: no verdict. */
  | 'abandoned'
  | 'probe-good'
  | 'probe-bad';

/** A node nothing is held against. */
export const NOT_EJECTED: EjectionState = {
  phase: 'in',
  failures: 0,
  cause: 'connect',
  ejections: 0,
  sinceOrUntilMs: 0,
};

/** True when the node may take requests, as far as ejection goes. */
export function isAdmitted({ phase }: EjectionState): boolean {
  return phase === 'in' || phase === 'trial';
}

/** True for a node that is out for its answers alone: it gets nothing new, and its sessions, which it may still serve, stay. */
export function isOutlier({ phase, cause }: EjectionState): boolean {
  return cause === 'outlier' && (phase === 'ejected' || phase === 'trying');
}

/**
 * The state after `observation`; the very same object when nothing changes. With `mayEject` false a node is not
 * ejected by failures, timeouts or errors, see `mayEject`; a refused connect and a probe eject all the same, because there is
 * nobody to send to.
 */
export function observe(
  state: EjectionState,
  observation: Observation,
  nowMs: number,
  { mayEject }: { readonly mayEject: boolean },
): EjectionState {
  switch (observation) {
    case 'answered':
      return answered(state, nowMs);
    case 'erred':
      return isOnTrial(state) && state.cause === 'outlier' ? ejected(state, 'outlier', nowMs) : answered(state, nowMs);
    case 'outlier':
      return state.phase === 'in' && mayEject ? ejected(state, 'outlier', nowMs) : state;
    case 'failed':
      return failed(state, nowMs, mayEject);
    case 'refused':
      return state.phase !== 'ejected' || isOutlier(state) ? ejected(state, 'connect', nowMs) : state;
    case 'unreachable':
      return mayEject && (state.phase !== 'ejected' || isOutlier(state)) ? ejected(state, 'connect', nowMs) : state;
    case 'sent':
      return state.phase === 'trial' ? { ...state, phase: 'trying' } : state;
    case 'abandoned':
      return state.phase === 'trying' ? { ...state, phase: 'trial' } : state;
    case 'probe-good':
      if (state.phase !== 'ejected') return state;
      return state.cause === 'connect' ? readmitted(state, nowMs) : { ...state, phase: 'trial' };
    case 'probe-bad':
      return ejected(state, state.phase === 'ejected' ? state.cause : 'connect', nowMs);
  }
}

/**
 * May one more node of a balancer be ejected for failures? At most half of them, and never the last one: when most
 * fail, the cause is more likely ours or the clients' than theirs.
 */
export function mayEject(ejected: number, known: number): boolean {
  return known - ejected > 1 && (ejected + 1) * 2 <= known;
}

function isOnTrial({ phase }: EjectionState): boolean {
  return phase === 'trying' || phase === 'trial';
}

function answered(state: EjectionState, nowMs: number): EjectionState {
  if (isOnTrial(state)) return readmitted(state, nowMs);
  if (state.phase === 'ejected') return state.failures === 0 ? state : { ...state, failures: 0 };
  const isWell = state.ejections > 0 && nowMs - state.sinceOrUntilMs >= MAX_EJECT_MS;
  if (state.failures === 0 && !isWell) return state;
  return { ...state, failures: 0, ejections: isWell ? 0 : state.ejections };
}

function failed(state: EjectionState, nowMs: number, mayEject: boolean): EjectionState {
  if (state.phase === 'ejected' && !isOutlier(state)) return state;
  if (isOnTrial(state)) return ejected(state, 'failures', nowMs);
  const failures = state.failures + 1;
  if (failures < MAX_CONSECUTIVE_FAILURES || !mayEject) return { ...state, failures };
  return ejected(state, 'failures', nowMs);
}

function ejected(state: EjectionState, cause: EjectCause, nowMs: number): EjectionState {
  const waitMs = Math.min(MAX_EJECT_MS, MIN_EJECT_MS * 2 ** Math.min(state.ejections, 5));
  return { phase: 'ejected', failures: 0, cause, ejections: state.ejections + 1, sinceOrUntilMs: nowMs + waitMs };
}

function readmitted(state: EjectionState, nowMs: number): EjectionState {
  return { ...state, phase: 'in', failures: 0, sinceOrUntilMs: nowMs };
}
