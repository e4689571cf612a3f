/** More nodes: what a request costs, and what one choice costs. */
import { putNodes, type RollcallOptions } from '../contenders/rollcall.ts';
import { ratioSpread, spreadOf } from '../numbers/spread.ts';
import { figure, multipleWithSpread } from '../output/figures.ts';
import type { Bench } from './bench.ts';
import { type LaneParts, measureCost } from './lane.ts';
import { withUp } from './own-lane.ts';
import { measurePicks } from './pick-cost.ts';
import type { CostSample } from './sample.ts';
import type { Scaled } from './scaling-workers.ts';
import { smallAnswers } from './scenario.ts';

const COUNTS = [2, 10, 100, 1_000];
/** What the worker does about newcomers is over by then. */
const SETTLE_MS = 2_000;

/** Registers more and more names for the same two addresses, so that nothing else grows. */
export async function scaleNodes(bench: Bench, parts: LaneParts): Promise<Scaled> {
  const { options, root, say, workplace } = bench;
  const ours: RollcallOptions = { name: 'rollcall', root, node: options.node };
  const scenario = smallAnswers();
  const nodes = await bench.nodes(scenario.nodes, parts);
  const samples = new Map<number, CostSample[]>(COUNTS.map((count) => [count, []]));
  for (let round = 1; round <= options.rounds; round++)
    await withUp(parts, ours, scenario, nodes, async ({ running, admin }, port) => {
      let present = 2;
      for (const count of COUNTS) {
        await putNodes(admin, nodes.ports, present, count);
        present = count;
        await workplace.sleep(SETTLE_MS);
        const sample = await measureCost(parts, scenario, options, running, port);
        samples.get(count)!.push(sample);
        say(
          `${count} nodes, round ${round}: ${sample.cpuUs.toFixed(1)} µs CPU, ${Math.round(sample.perSecond)} requests/s`,
        );
      }
    });
  const picks = COUNTS.flatMap((count) => measurePicks(count));
  const algorithms = [...new Set(picks.map(({ algorithm }) => algorithm))];
  const two = samples.get(2)!.map(cpuUs);
  return {
    data: { nodes: Object.fromEntries(samples), picks },
    tables: [
      {
        title: 'Nodes: multiples of the cost with two',
        columns: ['nodes', 'CPU per request', 'memory MiB'],
        rows: [...samples].map(([count, all]) => [
          String(count),
          multipleWithSpread(ratioSpread(all.map(cpuUs), two)),
          figure((spreadOf(all.map(({ memoryBytes }) => memoryBytes))?.median ?? Number.NaN) / 2 ** 20, 0),
        ]),
        notes: ['CPU and memory of the coordinator, which probes each of these nodes every second, are in it.'],
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
    ],
  };
}

const cpuUs = (sample: CostSample): number => sample.cpuUs;
