/** Measures a node with the SDK: all metrics of this folder, its service time, and the load field. */
import { totalmem } from 'node:os';
import type { HeartbeatReport } from '../heartbeats.ts';
import { type Cgroup, ownCgroup } from './cgroup.ts';
import { CpuMeter, type CpuReader, cgroupCpuMetric, cpuMetric, processCpuMs } from './cpu.ts';
import { EventLoopMeter, eventLoopMetric } from './event-loop.ts';
import { EventLoopDelay, eventLoopDelayMetric } from './event-loop-delay.ts';
import { type InFlight, inFlightMetric } from './in-flight.ts';
import { type Latencies, latencyMetric } from './latencies.ts';
import { LoadField } from './load-field.ts';
import { type LoadSource, SAMPLE_MS } from './load-reports.ts';
import { type MemoryUse, memoryMetric, processMemory } from './memory.ts';
import { type Metric, type MetricOptions, withOptions } from './metric.ts';
import { MAX_METRICS, MetricSet, rounded } from './metric-set.ts';
import { OpenFiles, openFilesMetric } from './open-files.ts';
import { requestsMetric } from './requests.ts';
import { ServiceTime } from './service-time.ts';
import { sessionsMetric } from './sessions.ts';
import { receivedMetric, sentMetric, type Traffic } from './traffic.ts';

/** Built-in metrics. */
export const OWN_METRICS = [
  'eventLoop',
  'eventLoopDelay',
  'cpu',
  'cgroupCpu',
  'memory',
  'inFlight',
  'latency',
  'sessions',
  'requests',
  'received',
  'sent',
  'openFiles',
] as const;

export type OwnMetric = (typeof OWN_METRICS)[number];

/** Capacities and weights of built-in metrics, set by the application. */
export type OwnMetricOptions = Readonly<Partial<Record<OwnMetric, MetricOptions>>>;

/** Maximum number of metrics of an application. */
export const MAX_APPLICATION_METRICS: number = MAX_METRICS - OWN_METRICS.length;

/** Sources of the numbers. Fields with a default are parameters for tests. */
export interface LoadSources {
  readonly nowMs: () => number;
  readonly inFlight: InFlight;
  readonly latencies: Latencies;
  readonly traffic: Traffic;
  /** Returns the number of active sessions; `undefined` if unknown. */
  readonly sessions: () => number | undefined;
  /** Requests in flight at load 1, above 0; `undefined` if not configured. */
  readonly capacity?: number | undefined;
  /** Called once for each metric that fails. */
  readonly onFailure: (name: string, reason: string) => void;
  readonly own?: OwnMetricOptions;
  /** The load is the weighted mean of all metrics, limits included, as in mod_cluster. Default false. */
  readonly isMean?: boolean;
  readonly cgroup?: Cgroup;
  readonly eventLoop?: EventLoopMeter;
  readonly cpu?: CpuReader;
  readonly memory?: () => readonly MemoryUse[];
  readonly openFiles?: OpenFiles;
}

export class LoadMeter implements LoadSource {
  readonly #set: MetricSet;
  readonly #sources: LoadSources;
  readonly #eventLoop: EventLoopMeter;
  readonly #service: ServiceTime;
  readonly #field = new LoadField();
  #sessions: number | undefined;

  constructor(sources: LoadSources) {
    const { nowMs, inFlight, latencies, traffic, cgroup = ownCgroup(), onFailure, isMean = false, own = {} } = sources;
    this.#sources = sources;
    this.#eventLoop = sources.eventLoop ?? new EventLoopMeter();
    this.#service = new ServiceTime(this.#eventLoop, inFlight, latencies);
    this.#set = new MetricSet(onFailure, { isMean });
    const { cpuQuota, memoryLimit } = cgroup;
    const openFiles = sources.openFiles ?? new OpenFiles();
    const metrics: readonly (Metric | undefined)[] = [
      eventLoopMetric(this.#eventLoop),
      eventLoopDelayMetric(new EventLoopDelay(SAMPLE_MS, nowMs)),
      cpuMetric(new CpuMeter(cgroup.cores, nowMs, sources.cpu ?? processCpuMs)),
      cpuQuota && cgroupCpuMetric(new CpuMeter(cpuQuota.cores, nowMs, cpuQuota.usedMs)),
      memoryMetric(
        sources.memory ??
          (() => [
            ...processMemory(memoryLimit?.bytes ?? totalmem()),
            ...(memoryLimit ? [{ usedBytes: memoryLimit.usedBytes(), limitBytes: memoryLimit.bytes }] : []),
          ]),
      ),
      inFlightMetric(inFlight, sources.capacity),
      latencyMetric(latencies, inFlight),
      sessionsMetric(() => this.#sessions),
      requestsMetric(inFlight, nowMs),
      receivedMetric(traffic, nowMs),
      sentMetric(traffic, nowMs),
      openFilesMetric(openFiles.limit(), () => openFiles.count()),
    ];
    for (const metric of metrics) if (metric) this.#set.add(adjusted(metric, own[metric.name as OwnMetric]));
  }

  /** The combined load at the last sample, 0 idle … 1 full. */
  get load(): number {
    return this.#set.load;
  }

  /** Requests in flight now. */
  get inFlight(): number {
    return this.#sources.inFlight.count;
  }

  /** Active sessions at the last sample; `undefined` if unknown. */
  get sessions(): number | undefined {
    return this.#sessions;
  }

  /** Adds a metric of the application, or replaces the metric of this name. */
  add(metric: Metric): void {
    this.#set.add(metric);
  }

  /** Takes a sample; called every `SAMPLE_MS`. Returns the combined load. */
  sample(): number {
    this.#sessions = this.#sources.sessions();
    const load = this.#set.sample();
    this.#service.sample();
    const { utilisation } = this.#eventLoop;
    this.#field.update({ utilisation, sessions: this.#sessions });
    return load;
  }

  /** Adds the scales to the next report, for example for another coordinator. */
  renewScales(): void {
    this.#set.renewScales();
  }

  /** The numbers of a heartbeat, as of the last sample. */
  report(): HeartbeatReport {
    const sessions = this.#sessions;
    const serviceMs = this.#service.ms;
    const scales = this.#set.newScales();
    return {
      load: rounded(this.#set.load),
      inFlight: this.#sources.inFlight.count,
      ...(sessions === undefined ? {} : { sessions }),
      ...(serviceMs === undefined ? {} : { serviceMs: rounded(serviceMs) }),
      ...this.#set.report(),
      ...(scales === undefined ? {} : { scales }),
    };
  }

  /**
   * The load field as a line of a response head: present in-flight, service time of this response, other numbers of the last
   * sample. `shareMs` is the result of `ServedRequest.answered`. If it is NaN, the service time is empty.
   */
  fieldLine(shareMs: number): string {
    const serviceMs = Number.isNaN(shareMs) ? shareMs : this.#service.ofOne(shareMs);
    return this.#field.line(this.#sources.inFlight.count, serviceMs);
  }
}

/** A built-in metric with the options of the application. A metric with weight 0 gets the default weight 1. */
function adjusted(metric: Metric, options: unknown): Metric {
  if (typeof options !== 'object' || options === null) return metric;
  const { weight, ...rest } = metric.scale;
  return { ...metric, scale: withOptions({ ...rest, weight: weight === 0 ? 1 : weight }, options) };
}
