/**
 * The node's combined load, 0 idle … 1 full, as it is now: the scarcest of what the node has.
 *
 *     load = max(event loop, in-flight, cpu, memory, mean of the application's metrics)
 *
 * The maximum, because a node that is out of one thing is full whatever else is free. History and smoothing belong to
 * the coordinator.
 */
import type { HeartbeatReport } from '../heartbeats.ts';
import type { ApplicationMetrics } from './application-metrics.ts';
import type { CpuMeter } from './cpu.ts';
import type { EventLoopMeter } from './event-loop.ts';
import type { InFlight } from './in-flight.ts';
import { type MemoryUse, memoryLoad, memoryRatio } from './memory.ts';

export interface LoadSources {
  readonly eventLoop: EventLoopMeter;
  readonly cpu: CpuMeter;
  readonly memory: () => readonly MemoryUse[];
  readonly inFlight: InFlight;
  readonly application: ApplicationMetrics;
  /** Active sessions, when the application knows; `undefined` when not. */
  readonly sessions: () => number | undefined;
}

/** Share of the newest window in the smoothed service time. */
const SERVICE_ALPHA = 0.3;

export class LoadMeter {
  readonly #sources: LoadSources;
  #load = 0;
  #eventLoop = 0;
  #cpu = 0;
  #memory = 0;
  #serviceMs: number | undefined;
  #busyMs = 0;
  #finished = 0;
  #values: Readonly<Record<string, number>> = {};

  constructor(sources: LoadSources) {
    this.#sources = sources;
  }

  /** The combined load at the last sample. */
  get load(): number {
    return this.#load;
  }

  /** Measures anew; meant to be called four times a second. Returns the combined load. */
  sample(): number {
    const { eventLoop, cpu, memory, inFlight, application } = this.#sources;
    const loop = eventLoop.sample();
    const metrics = application.sample();
    this.#eventLoop = loop.utilisation;
    this.#cpu = cpu.sample();
    this.#memory = memoryRatio(memory());
    this.#values = metrics.values;
    this.#load = Math.max(this.#eventLoop, inFlight.load, this.#cpu, memoryLoad(this.#memory), metrics.load);
    this.#sampleService(loop.busyMs, inFlight.finished);
    return this.#load;
  }

  /** Busy time is shared out among the requests that finished; a window without any is carried over to the next. */
  #sampleService(busyMs: number, finished: number): void {
    this.#busyMs += busyMs;
    const requests = finished - this.#finished;
    if (requests === 0) {
      // Idle work of the application itself must not be charged to the next request, however late it comes.
      this.#busyMs = Math.min(this.#busyMs, 10_000);
      if (this.#sources.inFlight.count === 0) this.#busyMs = 0;
      return;
    }
    const mean = this.#busyMs / requests;
    this.#serviceMs = this.#serviceMs === undefined ? mean : this.#serviceMs + SERVICE_ALPHA * (mean - this.#serviceMs);
    this.#busyMs = 0;
    this.#finished = finished;
  }

  /** The numbers of a heartbeat, as of the last sample. */
  report(): HeartbeatReport {
    const sessions = this.#sources.sessions();
    return {
      load: rounded(this.#load),
      inFlight: this.#sources.inFlight.count,
      ...(sessions === undefined ? {} : { sessions }),
      ...(this.#serviceMs === undefined ? {} : { serviceMs: rounded(this.#serviceMs) }),
      metrics: {
        eventLoop: rounded(this.#eventLoop),
        cpu: rounded(this.#cpu),
        memory: rounded(this.#memory),
        ...this.#values,
      },
    };
  }

  /** Value of the `rollcall-load` response field: in-flight, service ms, utilisation, sessions; empty means unknown. */
  field(): string {
    const service = this.#serviceMs === undefined ? '' : String(rounded(this.#serviceMs));
    return `${this.#sources.inFlight.count};${service};${rounded(this.#eventLoop)};${this.#sources.sessions() ?? ''}`;
  }
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
