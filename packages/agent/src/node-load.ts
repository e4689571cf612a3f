/** The load of a node, measured by its own process, with the metrics of its program. */
import { isName } from '@rollcall/protocol';
import type { AgentCode } from './agent-codes.ts';
import type { HeartbeatReport } from './heartbeats.ts';
import { InFlight } from './load/in-flight.ts';
import { Latencies } from './load/latencies.ts';
import { LoadMeter, MAX_APPLICATION_METRICS, OWN_METRICS } from './load/load-meter.ts';
import { LoadReports } from './load/load-reports.ts';
import { applicationMetric, type Metric, type MetricOptions } from './load/metric.ts';
import { Traffic } from './load/traffic.ts';
import type { Notices } from './notices.ts';
import type { Settings } from './options.ts';
import { reasonOf } from './reason.ts';
import { settled } from './settled.ts';
import type { Timers } from './timers.ts';

export class NodeLoad {
  readonly inFlight: InFlight;
  readonly traffic: Traffic = new Traffic();
  readonly #settings: Settings;
  readonly #timers: Timers;
  readonly #notices: Notices;
  readonly #latencies = new Latencies();
  readonly #metrics = new Map<string, Metric>();
  #meter: LoadMeter | undefined;
  #reports: LoadReports | undefined;

  constructor(settings: Settings, timers: Timers, notices: Notices) {
    this.#settings = settings;
    this.#timers = timers;
    this.#notices = notices;
    this.inFlight = new InFlight(() => timers.nowMs(), this.#latencies);
  }

  /** Metrics of the program, in the order of `add`. */
  get metrics(): Iterable<Metric> {
    return this.#metrics.values();
  }

  /** Adds a metric of the program, or replaces the metric of this name. An invalid metric is reported and left out. */
  add(name: string, options: MetricOptions | undefined, read: () => number): void {
    if (!isName(name)) {
      const given = typeof name === 'string' ? JSON.stringify((name as string).slice(0, 64)) : typeof name;
      this.#notices.misuse(`metric ${given}: names match [A-Za-z0-9_-]{1,64}`);
    } else if (OWN_METRICS.some((own) => own === name)) {
      const remedy = 'set its capacity and weight with the option metrics';
      this.#notices.misuse(`metric ${name}: the agent has a built-in metric of this name; ${remedy}`);
    } else if (!this.#metrics.has(name) && this.#metrics.size >= MAX_APPLICATION_METRICS) {
      this.#notices.misuse(`metric ${name}: more than ${MAX_APPLICATION_METRICS} metrics; it is left out`);
    } else {
      const metric = applicationMetric(name, options ?? {}, read);
      this.#metrics.set(name, metric);
      this.#meter?.add(metric);
    }
  }

  /** Starts to measure, four times a second. `reportSoon` is called when the numbers have changed enough. */
  start(reportSoon: () => void): void {
    this.#meter = this.#newMeter();
    this.#reports = new LoadReports(this.#meter, this.#timers, reportSoon);
    this.#reports.start();
  }

  stop(): void {
    this.#reports?.stop();
  }

  /** The numbers of a heartbeat; empty before `start`. */
  report(): HeartbeatReport {
    return this.#reports?.report() ?? {};
  }

  /** Adds the scales of all metrics to the next report, after a registration. */
  renewScales(): void {
    this.#meter?.renewScales();
  }

  /** The load field as a line of a response head; empty before `start`. `shareMs`: see `ServedRequest.answered`. */
  fieldLine(shareMs: number): string {
    return this.#meter?.fieldLine(shareMs) ?? '';
  }

  #newMeter(): LoadMeter {
    const meter = new LoadMeter({
      nowMs: () => this.#timers.nowMs(),
      inFlight: this.inFlight,
      latencies: this.#latencies,
      traffic: this.traffic,
      sessions: () => this.#sessions(),
      capacity: this.#settings.capacity,
      own: this.#settings.metrics,
      isMean: this.#settings.isMean,
      onFailure: (name, reason) => this.#failed(`metric ${name}`, reason),
    });
    for (const metric of this.#metrics.values()) meter.add(metric);
    return meter;
  }

  #sessions(): number | undefined {
    try {
      const count = settled(this.#settings.sessions?.());
      return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
    } catch (error) {
      this.#failed('sessions', reasonOf(error));
      return undefined;
    }
  }

  #failed(what: string, reason: string): void {
    this.#notices.warn({ code: 'metric-failed' satisfies AgentCode, message: `${what}: ${reason}; it is left out` });
  }
}
