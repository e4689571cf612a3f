/** `--scaling`: ours with more workers, more nodes and more connections. */
import { roughly } from '../output/figures.ts';
import type { Bench } from './bench.ts';
import type { Measured } from './measured.ts';
import { scaleConnections } from './scaling-connections.ts';
import { scaleNodes } from './scaling-nodes.ts';
import { scaleWorkers } from './scaling-workers.ts';
import { measureSwaps } from './snapshot-swaps.ts';

/** Runs in one round, and what each takes besides its own length in milliseconds. */
const TIMES = 20;
const AROUND_MS = 2_500;

/** Each part by itself; what this version or machine cannot do is left out with a sentence. */
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
