/** Cost of a request and of a pick by the number of nodes. */
import { putNodes, type RollcallOptions } from '../contenders/rollcall.ts';
import { ratioSpread, spreadOf } from '../numbers/spread.ts';
import { figure, mebibytes, multipleWithSpread } from '../output/figures.ts';
import { readCpuTime } from '../system/process-tree.ts';
import type { Bench } from './bench.ts';
import { measureExchanges } from './exchange-cost.ts';
import { measureFeed } from './feed-cost.ts';
import { type LaneParts, measureCost } from './lane.ts';
import { withUp } from './own-lane.ts';
import { measurePicks } from './pick-cost.ts';
import type { CostSample } from './sample.ts';
import type { Scaled } from './scaling-workers.ts';
import { returningClients, smallAnswers } from './scenario.ts';

const COUNTS = [2, 10, 100, 1_000];
const FEED_COUNTS = [1_000, 10_000];
/** Pause after nodes have joined, for the work of the worker, milliseconds. */
const SETTLE_MS = 2_000;

interface NodesSample {
  /** CPU use without requests, in CPUs. */
  readonly restRatio: number;
  /** Each request is a new session. */
  readonly newcomers: CostSample;
  /** Each client keeps its session. */
  readonly returning: CostSample;
}

/** Registers more node ids for the same two addresses, so that nothing else grows. */
export async function scaleNodes(bench: Bench, parts: LaneParts): Promise<Scaled> {
  const { options, root, say, workplace } = bench;
  const ours: RollcallOptions = { name: 'rollcall', root, node: options.node };
  const [newcomers, returning] = [smallAnswers(), returningClients()];
  const nodes = await bench.nodes(newcomers.nodes, parts);
  const samples = new Map<number, NodesSample[]>(COUNTS.map((count) => [count, []]));
  for (let round = 1; round <= options.rounds; round++)
    await withUp(parts, ours, newcomers, nodes, async ({ running, admin }, port) => {
      let present = 2;
      for (const count of COUNTS) {
        await putNodes(admin, nodes.ports, present, count);
        present = count;
        await workplace.sleep(SETTLE_MS);
        const before = readCpuTime(running.pid);
        await workplace.sleep(options.measureMs);
        const after = readCpuTime(running.pid);
        const restSeconds = after.user - before.user + after.system - before.system;
        const sample = {
          restRatio: restSeconds / (options.measureMs / 1_000),
          newcomers: await measureCost(parts, newcomers, options, running, port),
          returning: await measureCost(parts, returning, options, running, port),
        };
        samples.get(count)!.push(sample);
        const [first, again] = [sample.newcomers.cpuUs, sample.returning.cpuUs].map((us) => us.toFixed(1));
        say(`${count} nodes, round ${round}: ${first} µs CPU for new sessions, ${again} µs for known ones`);
      }
    });
  const picks = COUNTS.flatMap((count) => measurePicks(count));
  const exchanges = COUNTS.map((count) => measureExchanges(count));
  const feeds = FEED_COUNTS.map((count) => measureFeed(count));
  const algorithms = [...new Set(picks.map(({ algorithm }) => algorithm))];
  const two = samples.get(2)!;
  const percent = (ratios: readonly number[]): string => figure((spreadOf(ratios)?.median ?? Number.NaN) * 100, 1);
  const memory = (all: readonly NodesSample[]): number | undefined =>
    spreadOf(all.map(({ returning: { memoryBytes } }) => memoryBytes))?.median;
  return {
    data: { nodes: Object.fromEntries(samples), picks, exchanges, feeds },
    tables: [
      {
        title: 'Nodes: multiples of the cost with two',
        columns: ['nodes', 'CPU, new sessions', 'CPU, known sessions', 'CPU at rest, % of one', 'memory MiB'],
        rows: [...samples].map(([count, all]) => [
          String(count),
          multipleWithSpread(ratioSpread(all.map(newcomersUs), two.map(newcomersUs))),
          multipleWithSpread(ratioSpread(all.map(returningUs), two.map(returningUs))),
          percent(all.map(({ restRatio }) => restRatio)),
          mebibytes(memory(all)),
        ]),
        notes: [
          'In all of it is the coordinator, which probes each of these nodes every two seconds, one that answers requests every ten.',
        ],
      },
      {
        title: 'One choice with all it learns from, ns',
        columns: ['algorithm', ...COUNTS.map((count) => `${count} nodes`)],
        rows: algorithms.map((algorithm) => [
          algorithm,
          ...COUNTS.map((count) =>
            figure(picks.find((pick) => pick.algorithm === algorithm && pick.candidates === count)?.ns.median, 0),
          ),
        ]),
        notes: [],
      },
      {
        title: 'One exchange of the table of nodes, ms (median, and the longest of 200)',
        columns: ['nodes', 'one has changed', 'one has come'],
        rows: exchanges.map(({ nodes, changed, joined }) => [
          String(nodes),
          ...[changed, joined].map(({ median, max }) => `${figure(median, 2)} (${figure(max, 2)})`),
        ]),
        notes: [],
      },
      {
        title: 'The feed, ms (median of 20)',
        columns: [
          'nodes',
          'snapshot, encode',
          'snapshot, decode',
          'a tenth changed, encode',
          'a tenth changed, decode',
        ],
        rows: feeds.map(({ nodes, snapshot, changes }) => [
          String(nodes),
          ...[snapshot.encode, snapshot.decode, changes.encode, changes.decode].map(({ median }) => figure(median, 2)),
        ]),
        notes: [],
      },
    ],
  };
}

const newcomersUs = ({ newcomers }: NodesSample): number => newcomers.cpuUs;
const returningUs = ({ returning }: NodesSample): number => returning.cpuUs;
