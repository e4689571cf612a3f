/** `--scaling`: Rollcall with more workers, nodes and connections. */
import { roughly } from '../output/figures.ts';
import type { Bench } from './bench.ts';
import type { Measured } from './measured.ts';
import { scaleConnections } from './scaling-connections.ts';
import { scaleNodes } from './scaling-nodes.ts';
import { scaleWorkers } from './scaling-workers.ts';
import { measureSwaps } from './snapshot-swaps.ts';

/** Number of runs in one round, and the overhead of each, milliseconds. */
const TIMES = 20;
const AROUND_MS = 2_500;

/** Measures each part. A part that this version or machine does not support is skipped with a note. */
export async function measureScaling(bench: Bench): Promise<Measured> {
  bench.say(
    `workers, nodes, snapshot swaps, connections: about ${roughly(bench.options.rounds * TIMES * (bench.options.measureMs + AROUND_MS))}`,
  );
  const workers = await scaleWorkers(bench);
  const parts = await bench.parts();
  const nodes = await scaleNodes(bench, parts);
  const swaps = await measureSwaps(bench, parts);
  const connections = await scaleConnections(bench, parts);
  const all = [workers, nodes, swaps, connections].filter((part) => part !== undefined);
  return {
    tables: all.flatMap(({ tables }) => tables),
    versions: {},
    data: Object.assign({}, ...all.map(({ data }) => data)) as object,
  };
}
