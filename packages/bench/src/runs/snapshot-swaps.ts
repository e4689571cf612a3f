/** How long requests stand still while the table of nodes is exchanged. */
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
/** One request each millisecond: a stall longer than that is seen. */
const PER_SECOND = 1_000;
const CONNECTIONS = 32;
const SETTLE_MS = 3_000;
const CHANGE_EVERY_MS = 100;

interface Stalls {
  readonly p50Us: number;
  readonly p99Us: number;
  /** The longest that a request took from when it was due. */
  readonly maxUs: number;
  readonly failures: number;
  /** Share of the requests that do not count because the generator itself was late, 0–1. */
  readonly spoiledRatio: number;
  /** Share of the time that other programs had the CPU of ours or of the nodes, 0–1. */
  readonly othersRatio: number;
}

/** Latencies with 1,000 nodes at rest, with one changed ten times a second, and while 1,000 come at once. */
export async function measureSwaps(bench: Bench, parts: LaneParts): Promise<Scaled> {
  const { options, root, say, workplace } = bench;
  const ours: RollcallOptions = { name: 'rollcall', root, node: options.node };
  // Of sessions that are known: a new one opens a connection to a node that has none, and that is another cost.
  const scenario = returningClients();
  const nodes = await bench.nodes(scenario.nodes, parts);
  const all = new Map<string, Stalls[]>();
  const lookOnce = () =>
    withUp(parts, ours, scenario, nodes, async ({ admin, running, workerPid }, port) => {
      // How long the worker stands still, not who has the CPU: the others of its tree go where nobody works. So few requests
      // come from one process of the generator; the CPU of the last one is free where there are several.
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
          'Left out are requests during which the generator itself was kept from its work; taken by others is time on the CPU of ours or of the nodes: where that is not near 0, stalls are theirs too. Both are the worst round. The worker has a CPU of its own here, and so has the coordinator where there are four.',
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
