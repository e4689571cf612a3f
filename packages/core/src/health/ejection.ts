/**
 * Whether a node gets no new work because of the results of its requests, and when it gets new work again. Sessions are not concerned: only
 * the node's port and its heartbeats decide about them (liveness/session-rule.ts).
 *
 * ```
 *        stands out (OutlierWatch), and not too many are out
 *     in ───────────────────────────────────────────────▶ ejected ◀───────────┐
 *     ▲                                                      │                 │
 *     │                                          due: the wait is over         │
 *     │                                                      ▼                 │
 *     │ good answer  trying ◀────────── request sent ───── trial ◀──┐          │
 *     └───────────────┤  └── no verdict (client left, our bound) ───┘          │
 *                     └── failure or error ──────── twice as long ─────────────┘
 * ```
 *
 * `trial` admits one request, `trying` waits for its answer. The wait is 1 s and doubles up to 30 s. It starts at 1 s again when the node
 * was not ejected for 30 s.
 *
 * @see Envoy's outlier detection for the limit on how many may be ejected.
 */

/** First wait, milliseconds. */
export const MIN_EJECT_MS = 1_000;
/** Longest wait, milliseconds. */
export const MAX_EJECT_MS = 30_000;

export type EjectionPhase = 'in' | 'ejected' | 'trial' | 'trying';

export interface EjectionState {
  readonly phase: EjectionPhase;
  /** Ejections without a time of being well between them. */
  readonly ejections: number;
  /** `ejected`: instant at which the wait is over. `in`: instant it was readmitted. */
  readonly sinceOrUntilMs: number;
}

/** An observation of a node. */
export type Observation =
  /** A good answer. */
  | 'answered'
  /** A failure that counts against the node, or an answer with status 500 or above. */
  | 'failed'
  /** It stands out against the other nodes, as `OutlierWatch` finds. */
  | 'outlier'
  /** A request was sent while on trial. */
  | 'sent'
  /** A request ended without a verdict about the node. */
  | 'abandoned'
  /** Time has passed. */
  | 'due';

/** The state of a node without ejections. */
export const NOT_EJECTED: EjectionState = { phase: 'in', ejections: 0, sinceOrUntilMs: 0 };

/** True when the node may take new work, as far as ejection goes. */
export function isAdmitted({ phase }: EjectionState): boolean {
  return phase === 'in' || phase === 'trial';
}

/** The state after `observation`; the very same object when nothing changes. With `mayEject` false nothing ejects a node that is in. */
export function observe(
  state: EjectionState,
  observation: Observation,
  nowMs: number,
  { mayEject }: { readonly mayEject: boolean },
): EjectionState {
  switch (observation) {
    case 'answered':
      return answered(state, nowMs);
    case 'failed':
      return state.phase === 'trying' ? ejected(state, nowMs) : state;
    case 'outlier':
      return state.phase === 'in' && mayEject ? ejected(state, nowMs) : state;
    case 'sent':
      return state.phase === 'trial' ? { ...state, phase: 'trying' } : state;
    case 'abandoned':
      return state.phase === 'trying' ? { ...state, phase: 'trial' } : state;
    case 'due':
      return state.phase === 'ejected' && nowMs >= state.sinceOrUntilMs ? { ...state, phase: 'trial' } : state;
  }
}

/**
 * May one more node of a balancer be ejected? At most half of them, and never the last one: when most fail, the cause is more likely ours or
 * the clients' than theirs.
 */
export function mayEject(ejected: number, known: number): boolean {
  return known - ejected > 1 && (ejected + 1) * 2 <= known;
}

function answered(state: EjectionState, nowMs: number): EjectionState {
  if (state.phase === 'trying') return { ...state, phase: 'in', sinceOrUntilMs: nowMs };
  const isWell = state.phase === 'in' && state.ejections > 0 && nowMs - state.sinceOrUntilMs >= MAX_EJECT_MS;
  return isWell ? { ...state, ejections: 0 } : state;
}

function ejected({ ejections }: EjectionState, nowMs: number): EjectionState {
  const waitMs = Math.min(MAX_EJECT_MS, MIN_EJECT_MS * 2 ** Math.min(ejections, 5));
  return { phase: 'ejected', ejections: ejections + 1, sinceOrUntilMs: nowMs + waitMs };
}
