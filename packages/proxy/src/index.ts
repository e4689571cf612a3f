/** The data plane: public interface of the package. */
export { ACCESS_LOG_FORMATS, type AccessLogFormat } from './access-log/access-line.ts';
export type { AccessLogOptions } from './access-log/access-log.ts';
export { readAjpSecret } from './ajp/secret-file.ts';
export { loadAlgorithm } from './cluster/own-algorithms.ts';
export { closeWhenEmpty } from './engine/backlog.ts';
export { FORWARDED_FORMS, type ForwardedForm } from './engine/client-report.ts';
export { Engine, type EngineOptions, type ListenAt } from './engine/engine.ts';
export { checkedLimits, DEFAULT_LIMITS, type EngineLimits, type LimitChanges } from './engine/limits.ts';
export { PROXY_PROTOCOL_LISTENERS, type ProxyProtocolListener } from './engine/proxy-headers.ts';
export type { Choice, RoutableHead, Router, RoutingDecision, UpstreamNode } from './engine/router.ts';
export { readStickySecrets } from './sticky-secret/secret-file.ts';
export {
  type CertificateFiles,
  Certificates,
  type CertificatesOptions,
  type CertificatesReport,
  checkCertificates,
  type KeptCertificate,
} from './tls/certificates.ts';
export { type NodeTlsOptions, nodeTls } from './tls/node-tls.ts';
export { startWorker, type Worker, type WorkerLog, type WorkerOptions } from './worker.ts';
