/** The domain, pure. The one front door of the package; `./testing` is the other, for tests. */

// balancing: the interface
export type {
  Algorithm,
  AlgorithmFactory,
  AttemptOutcome,
  Candidate,
  LiveNumbers,
  NodeReport,
  PickRequest,
  PickTrace,
} from './balancing/algorithm.ts';
export { newLiveNumbers } from './balancing/algorithm.ts';
export { AlgorithmProblem, customAlgorithm } from './balancing/custom-algorithm.ts';
export { foresee } from './balancing/foresee.ts';
export {
  ALGORITHMS,
  type AlgorithmName,
  DEFAULT_ALGORITHM,
  DEFAULT_SESSION_ALGORITHM,
  isAlgorithmName,
} from './balancing/index.ts';
export { type LoadField, readLoadField } from './balancing/load-field.ts';
export { SoftStickiness, type SoftStickinessOptions } from './balancing/soft-stickiness.ts';
// clock and rng: the two ports everything timed or random goes through
export type { Clock } from './clock.ts';
export { contextFor } from './contexts/context-for.ts';
// contexts: which nodes serve a request
export {
  buildContextTable,
  ContextTable,
  type ContextTableOptions,
  EMPTY_CONTEXT_MS,
  MAX_EMPTY_CONTEXTS,
} from './contexts/context-table.ts';
export {
  ASK_NEW,
  ASK_SESSION,
  type EligibilityAsk,
  ineligibleReason,
  isEligible,
  type Standing,
} from './contexts/eligibility.ts';
export { ExcludedPaths } from './contexts/excluded-paths.ts';
export {
  contextKey,
  type HostedContext,
  hostedContexts,
  hostsOf,
  type RememberedContext,
} from './contexts/hosted-context.ts';
export type { MemberNode } from './contexts/member-node.ts';
export { LimitTable, type RequestLimits, requestLimits } from './contexts/request-limits.ts';
export { ServedContext } from './contexts/served-context.ts';
// health: ejection
export {
  type EjectionPhase,
  type EjectionState,
  isAdmitted,
  MAX_EJECT_MS,
  MIN_EJECT_MS,
  mayEject,
  NOT_EJECTED,
  type Observation,
  observe,
} from './health/ejection.ts';
export { type OutlierCause, OutlierWatch, type SeenAnswer } from './health/outliers.ts';
export { Heap } from './heap.ts';
export type { Disruption } from './liveness/eligible-left.ts';
// liveness: when a session may move, and where new work goes
export { MovedSessions } from './liveness/moved-sessions.ts';
export {
  type AnswerSource,
  type HeardFacts,
  NodeWatch,
  PROBE_EVERY_MS,
  REFUSAL_GAP_MS,
  REQUEST_OVERDUE_MS,
  type WatchDependencies,
} from './liveness/node-watch.ts';
export { ParkingBounds, type ParkingLimits } from './liveness/parking-bounds.ts';
export { HEARD_REFUSAL_MS, type SessionVerdict, sessionVerdict } from './liveness/session-rule.ts';
export { TIERS, type Tier, type TierFacts, tierOf } from './liveness/tier.ts';
export { type ContextFacts, type NodeFacts, type Unserved, whyUnserved } from './liveness/unserved.ts';
export { type Change as WorkChange, type Outlook, outlook } from './preview/outlook.ts';
export type { Queue } from './preview/queue.ts';
// reach: where a node may point
export { isOwnIp, type ReachObjection, ReachRule } from './reach/node-reach.ts';
// registry
export {
  DEFAULT_COOKIES,
  DEFAULT_PARAMETERS,
  type StartSettings,
  startSettingsMistake,
} from './registry/balancer-settings.ts';
export type {
  BalancerSettingsCommand,
  Command,
  ConnectionId,
  DisconnectCommand,
  ForgetContextsCommand,
  HeartbeatCommand,
  LeaveCommand,
  NodeRequests,
  NodeStatusCommand,
  ObserveCommand,
  OperatorStatusCommand,
  PatchNodeCommand,
  QuotaStanding,
  ReachableCommand,
  ReadyPathCommand,
  RegisterCommand,
  RemoveCommand,
  RestoreCommand,
  ScaleCommand,
  StalledCommand,
  Target,
  TickCommand,
  UndoCommand,
  WorkerJoinedCommand,
  WorkerLeftCommand,
} from './registry/commands.ts';
export type { Event, Rejection } from './registry/events.ts';
export type { Snapshot } from './registry/feed/feed-view.ts';
export type { Drain } from './registry/node/drain.ts';
export type { LivenessReason, NodeKind, NodeView, Overrides, RequestedStatus } from './registry/node/node-record.ts';
export { contextStatus, effectiveStatus, isMissing } from './registry/node/node-record.ts';
export { isInFeed, mostRestrictive } from './registry/node/node-status.ts';
export type { RegistryOptions } from './registry/options.ts';
export { parseClusterId, type RecordChanges } from './registry/records/stored-records.ts';
export { type NodeCounts, type Pace, Registry } from './registry/registry.ts';
export type { BalancerCounts } from './registry/views/balancer-counts.ts';
export type { SessionsEnd } from './registry/views/disruption-preview.ts';
export type { Now } from './registry/views/now.ts';
export type { BrokenBudget } from './registry/views/unserved-contexts.ts';
export type { BalancerFigures, NodeFigures } from './registry/views/watch-rows.ts';
export { type AnswerTotals, addAnswers, addCounts, increase, noAnswers } from './registry/workers/answer-totals.ts';
export { ReportedTotals, type Reporter, type Summation } from './registry/workers/reported-totals.ts';
export type { StickyFinding, StickyProblem, WrongRoute } from './registry/workers/sticky-findings.ts';
export type { NodeCounterSums } from './registry/workers/worker-counters.ts';
// replication: records that coordinators share
export { decodeAnnouncement, encodeAnnouncement } from './replication/announcement-text.ts';
export { type MemoryMedium, memorySharedMedium, memorySharedStore } from './replication/memory-shared-store.ts';
export { Peers } from './replication/peers.ts';
export {
  decodeRecord,
  decodeVersion,
  encodeRecord,
  encodeVersion,
  MAX_RECORD_TEXT_LENGTH,
} from './replication/record-text.ts';
export { type Instants, type MergeResult, Replica, type ReplicaBounds } from './replication/replica.ts';
export { SharedKind, SharedKinds, type SharedPart } from './replication/shared-kinds.ts';
export {
  MAX_KEY_LENGTH,
  MAX_VALUE_LENGTH,
  type Remaining,
  type SharedRecord,
  TIMERS,
} from './replication/shared-record.ts';
export { SharedRegistry } from './replication/shared-registry.ts';
export {
  type Announcement,
  type DrainUse,
  type Exchanged,
  KEEP_ANNOUNCEMENT_MS,
  LAYOUT,
  MAX_COORDINATORS,
  type Point,
  type SharedStore,
  type StoredVersions,
  type Written,
} from './replication/shared-store.ts';
export {
  compareVersions,
  EARLIEST_CLOCK_MS,
  isCoordinatorId,
  isVersion,
  MAX_AHEAD_MS,
  MAX_VERSION_MS,
  type Version,
} from './replication/version.ts';
export type { Rng } from './rng.ts';
export { seededRng } from './seeded-rng.ts';
// sticky: the session of a request and its route
export { type CookieEdit, editCookies } from './sticky/cookie-field.ts';
export { type FailoverCandidate, failoverNode, type LostSession } from './sticky/failover.ts';
export type { HeldSession } from './sticky/held-sessions.ts';
export { NodeSessions } from './sticky/node-sessions.ts';
export { type CookieSeal, defaultRouteCookie, routeCookieId, routeCookieMark } from './sticky/route-cookie.ts';
export { asSettingKey, routeCookieMistake, type SettingWriter } from './sticky/route-cookie-rules.ts';
export { RouteCookieWriter } from './sticky/route-cookie-writer.ts';
export { type KnownRoutes, withoutRoute } from './sticky/session-id.ts';
export { type SessionPlace, SessionSearch } from './sticky/session-search.ts';
export { StickyWatch } from './sticky/sticky-watch.ts';
export { hashText } from './sticky/text-hash.ts';
export { editParameters, type ParameterEdit } from './sticky/url-session.ts';
// store
export { memoryStore } from './store/memory-store.ts';
export { recordKey } from './store/record-key.ts';
export type { Store, StoredRecord, WriteOutcome } from './store/store.ts';
export { isNewer } from './store/version.ts';
export { type VerdictFigures, verdictOf } from './verdict/verdict.ts';
