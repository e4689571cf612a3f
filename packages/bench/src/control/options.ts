/** Options of `npm run bench -- control`. */
import { flagsOf, nameList, SWITCH, TEXT, wholeNumber } from '../words.ts';

export interface ControlOptions {
  readonly mode: 'control';
  /** Names of rows; empty: all. */
  readonly rows: readonly string[];
  /** Number of agents in the largest rows. */
  readonly agents: number;
  readonly rounds: number;
  readonly measureMs: number;
  /** Path of the Node that runs rollcall. */
  readonly node: string;
  readonly jsonFile: string | undefined;
  readonly markdownFile: string | undefined;
}

export const CONTROL_ROWS: readonly string[] = [
  'agents',
  'kill',
  'half',
  'readers',
  'metrics',
  'change',
  'churn',
  'sdk',
  'mcmp',
];

const DEFAULT_AGENTS = 10_000;
const DEFAULT_SECS = 10;

export const CONTROL_HELP: string = `Measures the cost of nodes for the control plane: agents on bare sockets at 1 Hz and one rollcall up with one worker.

  npm run bench -- control                          all rows, about 9 minutes
  npm run bench -- control --rows agents,kill

  --rows NAME,…       rows: ${CONTROL_ROWS.join(', ')}
  --agents N          agents in the largest rows, 100 to 10000 (default ${DEFAULT_AGENTS})
  --rounds N          rounds of measurement (default 1); medians are reported
  --secs N            duration of measurements at rest, seconds (default ${DEFAULT_SECS})
  --node PATH         the Node that runs rollcall (default: this one)
  --json FILE         file for all figures of all rounds; - is standard output
  --markdown FILE     file for the tables with date, machine and versions; - is standard output
  --help

packages/bench/README.md explains the figures. The row "half" needs cgroups that this user may write, or taskset.`;

const FLAGS = {
  help: { ...SWITCH, short: 'h' },
  rows: TEXT,
  agents: TEXT,
  rounds: TEXT,
  secs: TEXT,
  node: TEXT,
  json: TEXT,
  markdown: TEXT,
} as const;

/** Parses the arguments after `control`; `undefined` for `--help`. Throws a BenchError for invalid options. */
export function readControlOptions(words: readonly string[]): ControlOptions | undefined {
  const given = flagsOf(words, FLAGS, 'control --help');
  if (given.help) return undefined;
  return {
    mode: 'control',
    rows: nameList('--rows', given.rows, CONTROL_ROWS),
    agents: wholeNumber('--agents', given.agents, 100, 10_000) ?? DEFAULT_AGENTS,
    rounds: wholeNumber('--rounds', given.rounds, 1, 100) ?? 1,
    measureMs: (wholeNumber('--secs', given.secs, 1, 600) ?? DEFAULT_SECS) * 1_000,
    node: given.node ?? process.execPath,
    jsonFile: given.json,
    markdownFile: given.markdown,
  };
}
