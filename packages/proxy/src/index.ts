/** The data plane. The one front door of the package. */
export { ACCESS_LOG_FORMATS, type AccessLogFormat } from './access-log/access-line.ts';
export type { AccessLogOptions } from './access-log/access-log.ts';
export { closeWhenEmpty } from './engine/backlog.ts';
export { Engine, type EngineOptions, type ListenAt } from './engine/engine.ts';
export { checkedLimits, DEFAULT_LIMITS, type EngineLimits } from './engine/limits.ts';
export { loadAlgorithm } from './own-algorithms.ts';
export type { Choice, RoutableHead, Router, RoutingSlip, UpstreamNode } from './routing.ts';
export { readStickySecrets } from './sticky-secret/secret-file.ts';
export { type CertificateFiles, Certificates, checkCertificates } from './tls/certificates.ts';
export { type NodeTlsOptions, nodeTls } from './tls/node-tls.ts';
export { startWorker, type Worker, type WorkerLog, type WorkerOptions } from './worker.ts';
