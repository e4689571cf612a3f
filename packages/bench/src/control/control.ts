/** `npm run bench -- control`: cost of nodes for the control plane, and effects of its failure. */
import { BenchError } from '../bench-error.ts';
import { type RollcallOptions, rollcall } from '../contenders/rollcall.ts';
import { spreadOf } from '../numbers/spread.ts';
import type { Measured } from '../runs/measured.ts';
import type { Workplace } from '../system/workplace.ts';
import { ControlSite } from './control-site.ts';
import { controlTables } from './control-table.ts';
import { MCMP_NODES, mcmpRow } from './mcmp-row.ts';
import type { ControlOptions } from './options.ts';
import {
  agentsRow,
  changeRow,
  churnRow,
  type Figures,
  halfRow,
  killRow,
  metricsRow,
  type RowParts,
  readersRow,
  sdkRow,
} from './rows.ts';

export interface ControlBench {
  readonly options: ControlOptions;
  readonly workplace: Workplace;
  /** Root of the clone. */
  readonly root: string;
  /** Prints a line of progress. */
  readonly say: (line: string) => void;
  /** Sentences about skipped parts. */
  readonly leftOut: string[];
}

/** Figures of a row with this number of agents: for each round, and their medians. */
export interface RowResult {
  readonly row: string;
  readonly agents: number;
  readonly rounds: readonly Figures[];
  readonly medians: Figures;
}

interface RowPlan {
  readonly row: string;
  readonly agents: number;
  readonly measure: (parts: RowParts) => Promise<Figures>;
}

const READERS_AGENTS = 3_000;

/** Measures the rows in sequence. A row that fails is reported and skipped. */
export async function measureControl({ options, workplace, root, say, leftOut }: ControlBench): Promise<Measured> {
  const ours: RollcallOptions = { name: 'rollcall', root, node: options.node };
  const { agents, measureMs } = options;
  const parts: RowParts = { workplace, measureMs, agents, site: () => ControlSite.start(workplace, ours), say };
  const results: RowResult[] = [];
  for (const { row, agents: count, measure } of plansOf(options)) {
    const rounds: Figures[] = [];
    for (let round = 1; round <= options.rounds; round++) {
      const title = `${row}, ${count} agents, round ${round}/${options.rounds}`;
      try {
        const figures = await measure(parts);
        rounds.push(figures);
        say(`${title}: ${words(figures)}`);
      } catch (error) {
        workplace.signal.throwIfAborted();
        if (!(error instanceof BenchError)) throw error;
        leftOut.push(`${title} failed: ${error.message}`);
        say(`${title} failed: ${error.message}`);
      }
    }
    if (rounds.length > 0) results.push({ row, agents: count, rounds, medians: mediansOf(rounds) });
  }
  return {
    tables: controlTables(results),
    versions: { rollcall: rollcall(ours).version() ?? 'unknown' },
    data: { agents, measureMs, results },
  };
}

function plansOf({ rows, agents }: ControlOptions): readonly RowPlan[] {
  const sizes = [...new Set([1_000, 3_000, agents])].filter((size) => size <= agents);
  const readers = Math.min(READERS_AGENTS, agents);
  const all: readonly RowPlan[] = [
    ...sizes.map((size) => ({ row: 'agents', agents: size, measure: (parts: RowParts) => agentsRow(parts, size) })),
    { row: 'kill', agents, measure: killRow },
    { row: 'half', agents, measure: halfRow },
    { row: 'readers', agents: readers, measure: (parts) => readersRow(parts, readers) },
    { row: 'metrics', agents, measure: metricsRow },
    { row: 'change', agents, measure: changeRow },
    { row: 'churn', agents, measure: churnRow },
    { row: 'sdk', agents, measure: sdkRow },
    { row: 'mcmp', agents: MCMP_NODES, measure: mcmpRow },
  ];
  return rows.length === 0 ? all : all.filter(({ row }) => rows.includes(row));
}

function mediansOf(rounds: readonly Figures[]): Figures {
  const medians: Record<string, number> = {};
  for (const name of Object.keys(rounds[0]!))
    medians[name] = spreadOf(rounds.map((figures) => figures[name] ?? Number.NaN))?.median ?? Number.NaN;
  return medians;
}

function words(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${Math.round(value * 10) / 10}`)
    .join(', ');
}
