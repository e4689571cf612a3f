/** A node with the SDK as it measures itself: all metrics of this folder, its service time, and the load field. */
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

/** Metrics the agent brings itself. */
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

/** What an application says of them. */
export type OwnMetricOptions = Readonly<Partial<Record<OwnMetric, MetricOptions>>>;

/** Most metrics an application may add. */
export const MAX_APPLICATION_METRICS: number = MAX_METRICS - OWN_METRICS.length;

/** Where the numbers come from; what has a default is a parameter for tests. */
export interface LoadSources {
  readonly nowMs: () => number;
  readonly inFlight: InFlight;
  readonly latencies: Latencies;
  readonly traffic: Traffic;
  /** Active sessions, when the application knows; `undefined` when not. */
  readonly sessions: () => number | undefined;
  /** Requests at once that the node serves well, above 0; `undefined` when nobody has said. */
  readonly capacity?: number | undefined;
  /** Hears once of each metric that fails. */
  readonly onFailure: (name: string, reason: string) => void;
  readonly own?: OwnMetricOptions;
  /** Combine as mod_cluster does, limits as well. */
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

  /** Active sessions at the last sample; `undefined` when the application does not know. */
  get sessions(): number | undefined {
    return this.#sessions;
  }

  /** Adds a metric of the application, or replaces the one of that name. */
  add(metric: Metric): void {
    this.#set.add(metric);
  }

  /** Measures anew; meant to be called each `SAMPLE_MS`. Returns the combined load. */
  sample(): number {
    this.#sessions = this.#sources.sessions();
    const load = this.#set.sample();
    this.#service.sample();
    const { utilisation } = this.#eventLoop;
    this.#field.update({ utilisation, sessions: this.#sessions });
    return load;
  }

  /** Somebody else is told from now on: the scales are part of the next report. */
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
   * The load field as a line of a response head: in-flight as it is now, the service time of this very answer, the rest as
   * of the last sample. `shareMs` is what `ServedRequest.answered` gives; of one that is not timed no service time is told.
   */
  fieldLine(shareMs: number): string {
    const serviceMs = Number.isNaN(shareMs) ? shareMs : this.#service.ofOne(shareMs);
    return this.#field.line(this.#sources.inFlight.count, serviceMs);
  }
}

/** One of ours as the application wants it. What is only shown counts once the application names it. */
function adjusted(metric: Metric, options: unknown): Metric {
  if (typeof options !== 'object' || options === null) return metric;
  const { weight, ...rest } = metric.scale;
  return { ...metric, scale: withOptions({ ...rest, weight: weight === 0 ? 1 : weight }, options) };
}
