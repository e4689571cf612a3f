/** Requests at a fixed rate from a process of their own, as the bench sees them. */
import { fileURLToPath } from 'node:url';
import { type HistogramRecord, LatencyHistogram } from '../numbers/latency-histogram.ts';
import { ask } from '../system/ask.ts';
import type { Running, Workplace } from '../system/workplace.ts';

export interface VisitPlan {
  readonly port: number;
  readonly path: string;
  readonly perSecond: number;
  readonly token?: string;
}

export type VisitOrder =
  | { readonly order: 'visit'; readonly plan: VisitPlan }
  | { readonly order: 'count' | 'report' | 'stop' };

export interface VisitReply {
  readonly reply: VisitOrder['order'];
  readonly latency: HistogramRecord;
  readonly failures: Readonly<Record<string, number>>;
  readonly octets: number;
}

/** Results of the clients. */
export interface Visits {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly answered: number;
  readonly octets: number;
  readonly failures: Readonly<Record<string, number>>;
}

const REPLY_MS = 60_000;
/** Warm-up for compilation and first connections, milliseconds. */
const WARM_UP_MS = 1_500;

/** Runs `use` while the plan is carried out. Latencies are counted from when each request was due. */
export async function visited<Result>(
  workplace: Workplace,
  plan: VisitPlan,
  use: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly visits: Visits }> {
  const program = fileURLToPath(new URL('./visitor-process.js', import.meta.url));
  const running = await workplace.start('visitors', [process.execPath, program], { cpus: [], hasChannel: true });
  const order = (what: VisitOrder): Promise<VisitReply> => obeyed(running, what, workplace);
  try {
    await order({ order: 'visit', plan });
    await workplace.sleep(WARM_UP_MS);
    await order({ order: 'count' });
    const result = await use();
    return { result, visits: visitsOf(await order({ order: 'report' })) };
  } finally {
    await workplace.end(running);
  }
}

function obeyed(running: Running, order: VisitOrder, { signal }: Workplace): Promise<VisitReply> {
  return ask<VisitOrder, VisitReply>(running, order, signal, REPLY_MS);
}

function visitsOf({ latency, failures, octets }: VisitReply): Visits {
  const histogram = new LatencyHistogram();
  histogram.merge(latency);
  return {
    p50Ms: histogram.percentileUs(0.5) / 1_000,
    p99Ms: histogram.percentileUs(0.99) / 1_000,
    maxMs: histogram.maxUs / 1_000,
    answered: histogram.total,
    octets,
    failures,
  };
}
