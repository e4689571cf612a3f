/** Scaling by the number of proxy workers and CPUs. */
import { hasFlag, type RollcallOptions } from '../contenders/rollcall.ts';
import { ratioSpread, spreadOf } from '../numbers/spread.ts';
import { figure, multiple, multipleWithSpread } from '../output/figures.ts';
import type { Table } from '../output/table.ts';
import type { Bench } from './bench.ts';
import { measureCost } from './lane.ts';
import { withUp } from './own-lane.ts';
import type { CostSample } from './sample.ts';
import { smallAnswers } from './scenario.ts';

/** CPUs for the generator and the nodes. */
const OTHERS = 2;

export interface Scaled {
  readonly tables: readonly Table[];
  readonly data: object;
}

/** Requests per second and CPU per request with 1, 2, 4, … workers, each on its own CPU. */
export async function scaleWorkers(bench: Bench): Promise<Scaled | undefined> {
  const { options, root, say } = bench;
  const ours: RollcallOptions = { name: 'rollcall', root, node: options.node };
  if (!hasFlag(ours, '--workers')) {
    bench.leaveOut('Several workers are left out: this rollcall has no --workers.');
    return undefined;
  }
  const most = bench.cpus.length - OTHERS;
  const counts = [1, 2, 4, 8, 16].filter((count) => count <= most);
  if (counts.length < 2) {
    bench.leaveOut('Several workers are left out: they need a machine with four CPUs or more.');
    return undefined;
  }
  const scenario = smallAnswers();
  const samples = new Map<number, CostSample[]>(counts.map((count) => [count, []]));
  // One generator for all runs, on the CPUs that the largest number of workers leaves free.
  const widest = await bench.parts(counts.at(-1));
  const nodes = await bench.nodes(scenario.nodes, widest);
  for (const count of counts) {
    const parts = { ...widest, cpus: { ...widest.cpus, contender: widest.cpus.contender.slice(0, count) } };
    for (let round = 1; round <= options.rounds; round++) {
      const flags = ['--workers', String(count)];
      const sample = await withUp(parts, { ...ours, flags }, scenario, nodes, ({ running }, port) =>
        measureCost(parts, scenario, options, running, port),
      );
      samples.get(count)!.push(sample);
      say(
        `${count} workers, round ${round}: ${sample.cpuUs.toFixed(1)} µs CPU, ${Math.round(sample.perSecond)} requests/s`,
      );
    }
  }
  const one = samples.get(1)!;
  const isLimited = [...samples.values()].flat().some(({ generatorBusyRatio }) => generatorBusyRatio > 0.97);
  return {
    data: { workers: Object.fromEntries(samples) },
    tables: [
      {
        title: 'Workers: multiples of one worker',
        columns: ['workers', 'requests/s', 'CPU per request', 'CPUs busy', 'memory MiB'],
        rows: [...samples].map(([count, all]) => [
          String(count),
          multipleWithSpread(ratioSpread(all.map(perSecond), one.map(perSecond))),
          multipleWithSpread(ratioSpread(all.map(cpuUs), one.map(cpuUs))),
          multiple(spreadOf(all.map(({ cpusBusy }) => cpusBusy))?.median),
          figure((spreadOf(all.map(({ memoryBytes }) => memoryBytes))?.median ?? Number.NaN) / 2 ** 20, 0),
        ]),
        notes: isLimited
          ? ['The load generator was saturated: the machine has too few CPUs for it with this number of workers.']
          : [],
      },
    ],
  };
}

const perSecond = (sample: CostSample): number => sample.perSecond;
const cpuUs = (sample: CostSample): number => sample.cpuUs;
