/** The load generator: one or more processes with a common interface. */
import { fileURLToPath } from 'node:url';
import { LatencyHistogram } from '../numbers/latency-histogram.ts';
import { ask } from '../system/ask.ts';
import type { Running, Workplace } from '../system/workplace.ts';
import type { LoadOrder, LoadPlan, LoadReply, LoadReport } from './messages.ts';

/** Maximum rate that one process sends on time, requests per second. */
const ALONE_PER_SECOND = 5_000;
const REPLY_MS = 60_000;

/** Counts of all processes together. */
export interface Load {
  readonly answered: number;
  readonly perSecond: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly failed: number;
  readonly latency: LatencyHistogram;
  /** CPU use of the least busy process, 0–1. About 1 means that the generator was the bottleneck. */
  readonly busyRatio: number;
  /** Share of the responses that `latency` excludes because the generator was late, 0–1. */
  readonly spoiledRatio: number;
}

export class LoadGenerator {
  readonly #processes: readonly Running[];
  readonly #signal: AbortSignal;
  #active: readonly Running[] = [];

  private constructor(processes: readonly Running[], signal: AbortSignal) {
    this.#processes = processes;
    this.#signal = signal;
  }

  /** Starts one process for each entry of `cpus`. The workplace ends them. */
  static async start(workplace: Workplace, cpus: readonly (readonly number[])[]): Promise<LoadGenerator> {
    const program = fileURLToPath(new URL('./load-process.js', import.meta.url));
    const processes: Running[] = [];
    for (const [i, own] of cpus.entries())
      processes.push(await workplace.start(`load-${i}`, [process.execPath, program], { cpus: own, hasChannel: true }));
    return new LoadGenerator(processes, workplace.signal);
  }

  /** Opens the connections of the plan and starts to send. */
  async begin(plan: LoadPlan): Promise<void> {
    const { pace } = plan;
    // An open-loop process uses a whole CPU, so no more processes than needed are used.
    const wanted = pace.kind === 'open' ? Math.ceil(pace.perSecond / ALONE_PER_SECOND) : this.#processes.length;
    this.#active = this.#processes.slice(0, Math.max(1, Math.min(wanted, plan.connections)));
    const count = this.#active.length;
    await Promise.all(
      this.#active.map((running, i) => {
        const connections = Math.floor(plan.connections / count) + (i < plan.connections % count ? 1 : 0);
        const share = pace.kind === 'open' ? { ...pace, perSecond: pace.perSecond / count, seed: pace.seed + i } : pace;
        return this.#ask(running, { order: 'start', plan: { ...plan, connections, pace: share } });
      }),
    );
  }

  /** Resets the counts. */
  async count(): Promise<void> {
    await Promise.all(this.#active.map((running) => this.#ask(running, { order: 'count' })));
  }

  async report(): Promise<Load> {
    const replies = await Promise.all(this.#active.map((running) => this.#ask(running, { order: 'report' })));
    return together(replies.flatMap((reply) => (reply.reply === 'report' ? [reply.report] : [])));
  }

  /** Closes all connections. */
  async stop(): Promise<void> {
    await Promise.all(this.#active.map((running) => this.#ask(running, { order: 'stop' })));
    this.#active = [];
  }

  #ask(running: Running, order: LoadOrder): Promise<LoadReply> {
    return ask(running, order, this.#signal, REPLY_MS);
  }
}

function together(reports: readonly LoadReport[]): Load {
  const latency = new LatencyHistogram();
  const failures: Record<string, number> = {};
  let [answered, perSecond, failed, spoiled] = [0, 0, 0, 0];
  for (const report of reports) {
    latency.merge(report.latency);
    answered += report.answered;
    perSecond += (report.answered / report.elapsedMs) * 1_000;
    spoiled += report.spoiled;
    for (const [why, times] of Object.entries(report.failures)) {
      failures[why] = (failures[why] ?? 0) + times;
      failed += times;
    }
  }
  const busyRatio = Math.min(...reports.map((report) => report.busyRatio));
  return { answered, perSecond, failures, failed, latency, busyRatio, spoiledRatio: spoiled / Math.max(1, answered) };
}
