/** What `npm run bench -- control` was asked for, checked. */
import { parseArgs } from 'node:util';
import { BenchError } from '../bench-error.ts';
import { nameList, wholeNumber } from '../words.ts';

export interface ControlOptions {
  readonly mode: 'control';
  /** Names of rows; empty: all. */
  readonly rows: readonly string[];
  /** Agents of the rows that have most. */
  readonly agents: number;
  readonly rounds: number;
  readonly measureMs: number;
  /** Path of the Node that rollcall runs under. */
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
];

const DEFAULT_AGENTS = 10_000;
const DEFAULT_SECS = 10;

export const CONTROL_HELP: string = `What nodes cost the control plane: agents on bare sockets at 1 Hz against one rollcall up with one worker.

  npm run bench -- control                          all rows, about 8 minutes
  npm run bench -- control --rows agents,kill

  --rows NAME,…       of ${CONTROL_ROWS.join(', ')}
  --agents N          agents of the rows that have most, 100 to 10000 (${DEFAULT_AGENTS})
  --rounds N          how often each row is measured (1); medians are reported
  --secs N            how long each figure at rest is measured (${DEFAULT_SECS})
  --node PATH         the Node that rollcall runs under (this one)
  --json FILE         all figures of all rounds; - is standard output
  --markdown FILE     the tables with date, machine and versions; - is standard output
  --help

What the figures mean is in packages/bench/README.md. The row "half" needs cgroups that this user may write, or taskset.`;

/** Reads the words after `control`; `undefined` when they ask for help. Throws a BenchError that says what to do. */
export function readControlOptions(words: readonly string[]): ControlOptions | undefined {
  const given = parsed(words);
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

function parsed(words: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...words],
      options: {
        help: { type: 'boolean', short: 'h' },
        rows: text,
        agents: text,
        rounds: text,
        secs: text,
        node: text,
        json: text,
        markdown: text,
      },
    }).values;
  } catch (error) {
    throw new BenchError(`${(error as Error).message.split('. ')[0]}; control --help shows what there is`);
  }
}
