/** Stalls of requests while the routing table is replaced. */
import { type AdminCalls, putNodes, type RollcallOptions } from '../contenders/rollcall.ts';
import { spreadOf } from '../numbers/spread.ts';
import { figure } from '../output/figures.ts';
import { pinProcess } from '../system/pin-process.ts';
import { readTree } from '../system/process-tree.ts';
import type { Bench } from './bench.ts';
import { type LaneParts, planOf, watchOthers, withLoad } from './lane.ts';
import { withUp } from './own-lane.ts';
import type { Scaled } from './scaling-workers.ts';
import { returningClients } from './scenario.ts';

const NODES = 1_000;
/** One request per millisecond, so that longer stalls are detected. */
const PER_SECOND = 1_000;
const CONNECTIONS = 32;
const SETTLE_MS = 3_000;
const CHANGE_EVERY_MS = 100;

interface Stalls {
  readonly p50Us: number;
  readonly p99Us: number;
  /** Maximum latency from the due time of a request. */
  readonly maxUs: number;
  readonly failures: number;
  /** Share of the requests that are excluded because the generator was late, 0–1. */
  readonly spoiledRatio: number;
  /** Time share of other programs on the CPU of Rollcall or of the nodes, 0–1. */
  readonly othersRatio: number;
}

/** Latencies with 1,000 idle nodes, with one node that changes ten times per second, and while 998 nodes join at once. */
export async function measureSwaps(bench: Bench, parts: LaneParts): Promise<Scaled> {
  const { options, root, say, workplace } = bench;
  const ours: RollcallOptions = { name: 'rollcall', root, node: options.node };
  // Requests of known sessions, because a new session may open a connection to its node, which has its own cost.
  const scenario = returningClients();
  const nodes = await bench.nodes(scenario.nodes, parts);
  const all = new Map<string, Stalls[]>();
  const lookOnce = () =>
    withUp(parts, ours, scenario, nodes, async ({ admin, running, workerPid }, port) => {
      // Other processes of the tree move to a free CPU, so that only stalls of the worker are measured. One process of the generator
      // is enough for this rate; with several processes the CPU of the last one is free.
      const { load, nodes: nodesCpus } = parts.cpus;
      const free = load.length > 1 ? load.at(-1)! : nodesCpus;
      for (const { pid } of readTree(running.pid)) if (pid !== workerPid) pinProcess(pid, free);
      const pace = { kind: 'open', perSecond: PER_SECOND, isEven: true, seed: 1 } as const;
      const observe = async (title: string, during: () => Promise<void>): Promise<void> => {
        const stalls = await withLoad(parts.generator, planOf(scenario, port, CONNECTIONS, pace), async () => {
          await workplace.sleep(1_000);
          await parts.generator.count();
          const othersRatio = watchOthers(parts.cpus, running, nodes);
          await during();
          const ratio = othersRatio();
          const { latency, failed, spoiledRatio } = await parts.generator.report();
          return {
            p50Us: latency.percentileUs(0.5),
            p99Us: latency.percentileUs(0.99),
            maxUs: latency.maxUs,
            failures: failed,
            spoiledRatio,
            othersRatio: ratio,
          };
        });
        all.set(title, [...(all.get(title) ?? []), stalls]);
        say(`${title}: p99 ${(stalls.p99Us / 1_000).toFixed(2)} ms, longest ${(stalls.maxUs / 1_000).toFixed(1)} ms`);
      };
      await observe('2 nodes, at rest', () => workplace.sleep(options.measureMs));
      await observe('998 nodes join at once', async () => {
        await putNodes(admin, nodes.ports, 2, NODES);
        await workplace.sleep(SETTLE_MS);
      });
      await observe('1,000 nodes, at rest', () => workplace.sleep(options.measureMs));
      await observe('1,000 nodes, one changes its weight ten times a second', () =>
        changeNodes(admin, options.measureMs, (ms) => workplace.sleep(ms)),
      );
    });
  for (let round = 1; round <= options.rounds; round++) await lookOnce();
  const ms = (stalls: readonly Stalls[], part: (one: Stalls) => number): string => {
    const { median = Number.NaN, min = 0, max = 0 } = spreadOf(stalls.map(part)) ?? {};
    const [middle, least, most] = [median, min, max].map((us) => figure(us / 1_000, 2));
    return least === most ? middle! : `${middle} (${least}–${most})`;
  };
  const percent = (stalls: readonly Stalls[], part: (one: Stalls) => number): string =>
    figure(Math.max(...stalls.map(part)) * 100, 1);
  return {
    data: { swaps: Object.fromEntries(all) },
    tables: [
      {
        title: `Stalls: ${PER_SECOND} requests/s, one each millisecond, ms from when each was due`,
        columns: ['', 'p50', 'p99', 'longest', 'left out, %', 'taken by others, %', 'wrong answers'],
        rows: [...all].map(([title, stalls]) => [
          title,
          ms(stalls, ({ p50Us }) => p50Us),
          ms(stalls, ({ p99Us }) => p99Us),
          ms(stalls, ({ maxUs }) => maxUs),
          percent(stalls, ({ spoiledRatio }) => spoiledRatio),
          percent(stalls, ({ othersRatio }) => othersRatio),
          String(stalls.reduce((sum, { failures }) => sum + failures, 0)),
        ]),
        notes: [
          'Left out: requests during interruptions of the generator. Taken by others: time of other programs on the CPU of Rollcall or of the nodes; if it is not near 0, it causes stalls too. Both are of the worst round. The worker has its own CPU, and so has the coordinator on machines with four CPUs.',
        ],
      },
    ],
  };
}

async function changeNodes(admin: AdminCalls, forMs: number, sleep: (ms: number) => Promise<void>): Promise<void> {
  const untilMs = performance.now() + forMs;
  for (let i = 0; performance.now() < untilMs; i++) {
    await admin.call('PATCH', `/v1/nodes/n${(i % NODES) + 1}`, { weight: 1 + (i % 5) });
    await sleep(CHANGE_EVERY_MS);
  }
}
