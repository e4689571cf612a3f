/** Memory of an idle client connection after one response. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RollcallOptions } from '../contenders/rollcall.ts';
import { spreadOf } from '../numbers/spread.ts';
import { figure } from '../output/figures.ts';
import { memoryField } from '../system/proc-text.ts';
import type { Bench } from './bench.ts';
import { type LaneParts, planOf, withLoad } from './lane.ts';
import { withUp } from './own-lane.ts';
import type { Scaled } from './scaling-workers.ts';
import { smallAnswers } from './scenario.ts';

const CONNECTIONS = 10_000;
const WARM_UP_MS = 1_500;
const HELD_MS = 2_000;
const WRITTEN_MS = 10_000;
/** Descriptors of a process in addition to those of connections. */
const SPARE_FILES = 600;

interface WorkerMemory {
  readonly heapBytes: number;
  readonly rssBytes: number;
}

/** Memory of the worker without and with 10,000 connections, each after garbage collection. */
export async function scaleConnections(bench: Bench, parts: LaneParts): Promise<Scaled | undefined> {
  const { options, root, say, workplace } = bench;
  const limit = openFilesLimit();
  if (limit < CONNECTIONS + SPARE_FILES) {
    bench.leaveOut(
      `10,000 connections are left out: \`ulimit -Hn\` allows ${limit} files, ${CONNECTIONS + SPARE_FILES} are needed.`,
    );
    return undefined;
  }
  const heapDirectory = workplace.path('heap');
  mkdirSync(heapDirectory, { recursive: true });
  const ours: RollcallOptions = {
    name: 'rollcall',
    root,
    node: options.node,
    environment: {
      NODE_OPTIONS: `--import=${new URL('./heap-probe.js', import.meta.url).href}`,
      ROLLCALL_BENCH_HEAP: heapDirectory,
    },
  };
  const scenario = smallAnswers();
  const nodes = await bench.nodes(scenario.nodes, parts);
  const samples: { readonly heap: number; readonly rss: number; readonly failures: number }[] = [];
  for (let round = 1; round <= options.rounds; round++)
    await withUp(parts, ours, scenario, nodes, async ({ workerPid }, port) => {
      if (workerPid === undefined) return;
      const read = async (): Promise<WorkerMemory> => {
        const file = join(heapDirectory, `${workerPid}.json`);
        return probe(workerPid, file, (ms) => workplace.sleep(ms));
      };
      await withLoad(parts.generator, planOf(scenario, port, 64, { kind: 'closed' }), () =>
        workplace.sleep(WARM_UP_MS),
      );
      const before = await read();
      const sample = await withLoad(
        parts.generator,
        planOf(scenario, port, CONNECTIONS, { kind: 'hold' }),
        async () => {
          await workplace.sleep(HELD_MS);
          const after = await read();
          const { failed } = await parts.generator.report();
          return {
            heap: (after.heapBytes - before.heapBytes) / CONNECTIONS,
            rss: (after.rssBytes - before.rssBytes) / CONNECTIONS,
            failures: failed,
          };
        },
      );
      samples.push(sample);
      say(`${CONNECTIONS} idle connections, round ${round}: ${(sample.rss / 1_024).toFixed(1)} KiB each`);
    });
  const kib = (octets: readonly number[]): string => figure((spreadOf(octets)?.median ?? Number.NaN) / 1_024, 1);
  return {
    data: { connections: { count: CONNECTIONS, samples } },
    tables: [
      {
        title: `${CONNECTIONS.toLocaleString('en')} idle connections that have made one request: KiB each in the worker`,
        columns: ['', 'KiB'],
        rows: [
          ['JavaScript heap', kib(samples.map(({ heap }) => heap))],
          ['resident memory', kib(samples.map(({ rss }) => rss))],
        ],
        notes: [`Wrong answers: ${samples.reduce((sum, { failures }) => sum + failures, 0)}.`],
      },
    ],
  };
}

/** Makes the worker collect garbage and write its memory use. */
async function probe(pid: number, file: string, sleep: (ms: number) => Promise<void>): Promise<WorkerMemory> {
  const before = readIfThere(file);
  process.kill(pid, 'SIGUSR2');
  const untilMs = performance.now() + WRITTEN_MS;
  let text = before;
  while ((text === before || text === '') && performance.now() < untilMs) {
    await sleep(50);
    text = readIfThere(file);
  }
  const { heapUsed } = JSON.parse(text) as NodeJS.MemoryUsage;
  // As the kernel sees it now: what the process read of itself may be a moment old.
  const rssBytes = memoryField(readIfThere(`/proc/${pid}/status`), 'VmRSS') ?? Number.NaN;
  return { heapBytes: heapUsed, rssBytes };
}

function openFilesLimit(): number {
  const found = /^Max open files\s+\S+\s+(\d+|unlimited)/m.exec(readIfThere('/proc/self/limits'));
  return found === null || found[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(found[1]);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
