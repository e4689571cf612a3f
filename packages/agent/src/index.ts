/** What a node embeds. The one front door of the package. */
export {
  AGENT_CODES,
  Agent,
  type AgentCode,
  type AgentEvents,
  type AgentOptions,
  type DrainOptions,
  type DrainOutcome,
  type Notice,
  STOP_DEADLINE_MS,
} from './agent.ts';
export { backoffMs, type Rng } from './backoff.ts';
export { agentUrl, type CoordinatorList, coordinatorList } from './coordinator-url.ts';
export type { HeartbeatReport, ReportSource } from './heartbeats.ts';
export type { Attachable } from './http.ts';
export { defaultNodeId, type IdentitySource, newInstance } from './identity.ts';
export { type JoinToken, joinToken } from './join-token.ts';
export { type Cgroup, ownCgroup } from './load/cgroup.ts';
export { CpuMeter, type CpuReader, cgroupCpuMetric, cpuMetric } from './load/cpu.ts';
export type { OwnMetric, OwnMetricOptions } from './load/load-meter.ts';
export { LoadReports, type LoadSource } from './load/load-reports.ts';
export { type MemoryUse, memoryMetric } from './load/memory.ts';
export type { Metric, MetricOptions } from './load/metric.ts';
export { MetricSet } from './load/metric-set.ts';
export { OpenFiles, openFilesMetric } from './load/open-files.ts';
export { type RollcallEvents, RollcallNode, type RollcallOptions, rollcall } from './node.ts';
export {
  NODE_VARIABLE,
  type NodeDescription,
  nodeUrlText,
  type RegistrationFacts,
  toRegistration,
} from './registration.ts';
export { ONE_SIGNAL_MS } from './shutdown.ts';
export { systemTimers, type TimerOptions, type Timers } from './timers.ts';
