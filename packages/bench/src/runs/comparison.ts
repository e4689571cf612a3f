/** `--compare`: measures two versions of Rollcall and decides whether they differ. */
import { BenchError } from '../bench-error.ts';
import { missingFlag, type RollcallOptions, rollcall } from '../contenders/rollcall.ts';
import { ratioSpread, spreadOf } from '../numbers/spread.ts';
import { type Verdict, verdictOf } from '../numbers/verdict.ts';
import { figure, mebibytes, multiple, multipleWithSpread, roughly } from '../output/figures.ts';
import type { Table } from '../output/table.ts';
import type { Bench } from './bench.ts';
import type { Measured } from './measured.ts';
import { checkOut, type Revision } from './revision.ts';
import { type CostSample, failuresOf, type LatencySample, type Result } from './sample.ts';
import { fullScenarios, type Scenario } from './scenario.ts';
import { roundsMs, type SideBySide, sideBySide } from './side-by-side.ts';

const WORDS: Readonly<Record<Verdict, string>> = {
  faster: 'cheaper in every round',
  slower: 'more expensive in every round',
  same: 'no difference beyond the noise',
  unclear: 'unclear: at least six rounds are needed',
};

/** Measures two revisions, or one and the working tree, in the named rows. */
export async function compareRevisions(bench: Bench): Promise<Measured> {
  const { options, root, workplace, say } = bench;
  const [firstName, secondName] = options.revisions!;
  const checkedOut: Revision[] = [];
  const sideOf = async (name: string): Promise<RollcallOptions> => {
    const revision = await checkOut(workplace, root, name, say);
    checkedOut.push(revision);
    return { name: revision.title, root: revision.root, node: options.node };
  };
  try {
    const first = await sideOf(firstName);
    const second =
      secondName === undefined ? { name: 'the working tree', root, node: options.node } : await sideOf(secondName);
    if (first.name === second.name) throw new BenchError(`${firstName} and ${secondName} are the same revision`);
    const scenarios = rowsFor(bench, [first, second]);
    say(`about ${roughly(scenarios.length * 2 * roundsMs(options))}`);
    const parts = await bench.parts();
    const all: SideBySide[] = [];
    for (const scenario of scenarios) {
      const nodes = await bench.nodes(scenario.nodes, parts);
      all.push(await sideBySide(parts, [rollcall(first), rollcall(second)], scenario, nodes, { ...options, say }));
    }
    return { tables: all.map(verdictTable), versions: {}, data: { rounds: options.rounds, scenarios: all } };
  } finally {
    for (const revision of checkedOut) revision.remove();
  }
}

/** Rows with requests that both versions support; by default the row with small answers. */
function rowsFor(bench: Bench, sides: readonly RollcallOptions[]): readonly Scenario[] {
  const wanted = bench.options.rows.length > 0 ? bench.options.rows : ['small'];
  return fullScenarios().filter(({ name, title, front, measures }) => {
    if (!wanted.includes(name)) return false;
    const missing = sides.find((side) => missingFlag(side, front) !== undefined);
    let why: string | undefined;
    if (measures !== 'requests') why = 'it has no requests to compare';
    else if (missing !== undefined) why = `${missing.name} has no ${missingFlag(missing, front)}`;
    else if (front.isTls && bench.certificate() === undefined) why = 'install openssl, which makes the certificate';
    if (why !== undefined) bench.leaveOut(`The row "${title}" is left out: ${why}.`);
    return why === undefined;
  });
}

function verdictTable({ scenario, results }: SideBySide): Table {
  const [first, second] = results as [Result, Result];
  const ratio = (part: (sample: CostSample) => number) => ratioSpread(second.cost.map(part), first.cost.map(part));
  const median = ({ cost }: Result, part: (sample: CostSample) => number): number | undefined =>
    spreadOf(cost.map(part))?.median;
  const cpu = ratio(({ cpuUs }) => cpuUs);
  const rounds = Math.min(first.cost.length, second.cost.length);
  const row = (title: string, part: (sample: CostSample) => number, decimals: number): string[] => [
    title,
    figure(median(first, part), decimals),
    figure(median(second, part), decimals),
    multipleWithSpread(ratio(part)),
  ];
  const latencyRow = (title: string, part: (sample: LatencySample) => number): string[] => [
    title,
    ...[first, second].map(({ latency }) => figure((spreadOf(latency.map(part))?.median ?? Number.NaN) / 1_000, 2)),
    multipleWithSpread(ratioSpread(second.latency.map(part), first.latency.map(part))),
  ];
  const memory = ({ memoryBytes }: CostSample): number => memoryBytes;
  const verdict =
    cpu === undefined
      ? 'nothing was measured'
      : `${multiple(cpu.median)} times the CPU per request: ${WORDS[verdictOf(cpu, rounds)]}`;
  return {
    title: `${scenario.title}: ${second.name} beside ${first.name}, ${rounds} round${rounds === 1 ? '' : 's'}`,
    columns: ['', first.name, second.name, 'second ÷ first'],
    rows: [
      row('CPU per request, µs', ({ cpuUs }) => cpuUs, 2),
      row('user', ({ userUs }) => userUs, 2),
      row('system', ({ systemUs }) => systemUs, 2),
      row('requests/s', ({ perSecond }) => perSecond, 0),
      [
        'memory, MiB',
        mebibytes(median(first, memory)),
        mebibytes(median(second, memory)),
        multipleWithSpread(ratio(memory)),
      ],
      ...(first.latency.length > 0
        ? [latencyRow('p50, ms', ({ p50Us }) => p50Us), latencyRow('p99, ms', ({ p99Us }) => p99Us)]
        : []),
      ['wrong answers', String(failuresOf(first)), String(failuresOf(second)), ''],
    ],
    notes: [
      `Verdict: ${second.name} needs ${verdict}.`,
      ...[first, second].flatMap(({ name, error }) =>
        error === undefined ? [] : [`✗ ${name}: ${error.split('\n')[0]}`],
      ),
    ],
  };
}
