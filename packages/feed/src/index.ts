/** Public interface of the package: the feed between coordinator and proxy workers. */
export * from './codec.ts';
export * from './counters.ts';
export * from './frames.ts';
export * from './messages.ts';
export * from './node.ts';
export {
  contextsOf,
  type FeedContext,
  type FeedNode,
  type FeedNodeValues,
  feedContexts,
  isSameService,
  NODE_FIELDS,
  type NodeReach,
  type ProbeKind,
  readNodeReach,
} from './node-fields.ts';
export * from './session-sample.ts';
export * from './version.ts';
