/** The data plane. The one front door of the package. */
export { Engine, type EngineOptions, type ListenAt } from './engine/engine.ts';
export { DEFAULT_LIMITS, type EngineLimits } from './engine/limits.ts';
export type { AttemptFailure, Choice, RoutableHead, Router, RoutingSlip, UpstreamNode } from './routing.ts';
export { readStickySecrets } from './sticky-secret/secret-file.ts';
export { startWorker, type Worker, type WorkerLog, type WorkerOptions } from './worker.ts';
