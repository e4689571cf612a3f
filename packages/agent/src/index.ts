/** The SDK that an application embeds. The only entry point of the package. */
export { agentUrl } from '@rollcall/protocol';
export { Agent, type AgentEvents, type AgentOptions } from './agent.ts';
export { AGENT_CODES, type AgentCode, type Notice } from './agent-codes.ts';
export { type AnnouncedAddress, announcedAddress } from './announced-address.ts';
export { backoffMs, type Rng } from './backoff.ts';
export { type ClientTls, type ClientTlsFiles, clientTlsFiles, readClientTls } from './client-tls.ts';
export { connectCause, MAX_REFUSAL_BODY, notRollcallCause, type Refusal, readRefusal } from './connect-cause.ts';
export {
  adminUrl,
  type CoordinatorList,
  coordinatorList,
  coordinatorText,
  serviceOf,
} from './coordinator-url.ts';
export type { HeartbeatReport, ReportSource } from './heartbeats.ts';
export type { Attachable } from './http.ts';
export { defaultNodeId, type IdentitySource, newInstance, thisProcess } from './identity.ts';
export { isToken, type JoinToken, joinToken } from './join-token.ts';
export { type Cgroup, ownCgroup } from './load/cgroup.ts';
export { CpuMeter, type CpuReader, cgroupCpuMetric, cpuMetric } from './load/cpu.ts';
export type { OwnMetric, OwnMetricOptions } from './load/load-meter.ts';
export { LoadReports, type LoadSource } from './load/load-reports.ts';
export { type MemoryUse, memoryMetric } from './load/memory.ts';
export type { Metric, MetricOptions } from './load/metric.ts';
export { MetricSet } from './load/metric-set.ts';
export { OpenFiles, openFilesMetric } from './load/open-files.ts';
export { NodeSocket, type NodeSocketListener, type NodeSocketOptions } from './local/node-socket.ts';
export {
  instanceOf,
  NODE_VARIABLE,
  type NodeSocketName,
  newSecret,
  nodeSocketText,
  parseNodeSocket,
} from './local/node-socket-name.ts';
export { relay } from './local/relay.ts';
export { RollcallNode, rollcall } from './node.ts';
export type { RollcallEvents } from './node-core.ts';
export type { DrainOptions, DrainOutcome } from './node-status.ts';
export type { RollcallOptions } from './options.ts';
export { ownAddresses } from './own-addresses.ts';
export {
  type NodeDescription,
  nodeUrlText,
  type RegistrationFacts,
  toRegistration,
} from './registration.ts';
export { ONE_SIGNAL_MS, type ShutdownSignal } from './shutdown.ts';
export { systemTimers, type TimerOptions, type Timers } from './timers.ts';
