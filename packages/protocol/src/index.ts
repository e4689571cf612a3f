/** Public interface of the package: all data that crosses a process boundary. */
export * from './admin.ts';
export * from './agent-url.ts';
export { AJP_CPING, AJP_CPONG, isAjpPong } from './ajp.ts';
export * from './audit.ts';
export { type BackoffLimits, jitteredBackoffMs } from './backoff.ts';
export { canonicalHost } from './canonical-host.ts';
export * from './codec.ts';
export { copiesCounts, copiesText, failingText } from './copies-text.ts';
export * from './decisions.ts';
export { drainEndText } from './drain-text.ts';
export { ageText, compactDuration, durationText, inSeconds, parseDuration } from './durations.ts';
export { editDistance } from './edit-distance.ts';
export * from './error-codes.ts';
export {
  COUNT,
  DAY_MS,
  FaultBox,
  Fields,
  isObject,
  type Malformed,
  malformed,
  type Range,
  readFields,
} from './fields.ts';
export * from './ids.ts';
export * from './load-factor.ts';
export { type MergePatch, mergePatch, mergePatchOf } from './merge-patch.ts';
export * from './messages.ts';
export * from './node-states.ts';
export * from './past-decisions.ts';
export { printable, printableUrl } from './printable-url.ts';
export * from './problems.ts';
export * from './quota-text.ts';
export * from './ready-path.ts';
export * from './route-cookie.ts';
export { sessionsText } from './sessions-text.ts';
export * from './time-limits.ts';
export * from './tokens.ts';
export { moreUnservedSentence, unservedSentence } from './unserved-text.ts';
export * from './version.ts';
export * from './watch.ts';
export * from './where.ts';
