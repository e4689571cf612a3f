/** What the bench was asked for, checked. */
import { parseArgs } from 'node:util';
import { BenchError } from './bench-error.ts';
import { CONTENDER_NAMES } from './contenders/all.ts';
import { nameList, wholeNumber } from './words.ts';

/** `side-by-side` beside others; `full` the same in many rows; `compare` with another revision; `scaling` by size. */
export type Mode = 'side-by-side' | 'full' | 'compare' | 'scaling';

export interface BenchOptions {
  readonly mode: Mode;
  /** Names of contenders; empty: all, or those that the mode takes. */
  readonly only: readonly string[];
  /** Names of rows of `full`; empty: all, in `compare` the first. */
  readonly rows: readonly string[];
  readonly rounds: number;
  readonly measureMs: number;
  readonly connections: number;
  /** Requests a second of open-loop runs; `undefined`: from what was measured; 0: none. */
  readonly rate: number | undefined;
  /** Whom ratios refer to; `undefined`: the first of the usual ones that takes part. */
  readonly reference: string | undefined;
  /** Path of the Node that ours, and libraries for Node, run under. */
  readonly node: string;
  /** Revisions to compare; the second is `undefined` for the working tree. Only in `compare`. */
  readonly revisions: readonly [string, string | undefined] | undefined;
  /** Where to write; `-` is standard output. */
  readonly jsonFile: string | undefined;
  readonly markdownFile: string | undefined;
}

interface Defaults {
  readonly rounds: number;
  readonly secs: number;
}

const DEFAULTS: Readonly<Record<Mode, Defaults>> = {
  'side-by-side': { rounds: 3, secs: 4 },
  full: { rounds: 2, secs: 3 },
  compare: { rounds: 8, secs: 3 },
  scaling: { rounds: 2, secs: 3 },
};

export const ROW_NAMES: readonly string[] = [
  'small',
  'returning',
  '1k',
  '64k',
  '1m',
  'upload',
  'chunked',
  'connect',
  'tunnel',
  'tls',
  'log',
  'idle',
];

export const HELP: string = `What a request costs: rollcall beside other proxies, beside its own past, and at scale.

  npm run bench                          beside all proxies that are here, about 9 minutes
  npm run bench -- --full                more kinds of traffic, fewer proxies, about 20 minutes
  npm run bench -- --compare REV         the working tree beside a revision; A..B: two revisions
  npm run bench -- --scaling             more workers, nodes and connections, about 4 minutes
  npm run bench -- balance               which node it is sent to and how long users wait, about 20 minutes; --help of its own
  npm run bench -- control               what up to 10,000 nodes cost the control plane, about 8 minutes; --help of its own

  --only NAME,…       of ${CONTENDER_NAMES.join(', ')}
  --rows NAME,…       with --full and --compare, of ${ROW_NAMES.join(', ')}
  --rounds N          how often each is measured (${Object.entries(DEFAULTS)
    .map(([mode, { rounds }]) => `${mode} ${rounds}`)
    .join(', ')})
  --secs N            how long each time (${Object.entries(DEFAULTS)
    .map(([mode, { secs }]) => `${mode} ${secs}`)
    .join(', ')})
  --conns N           connections (64)
  --rate N            requests a second at which latencies are compared (40 % of what the slowest can); 0: not at all
  --reference NAME    whose figures are 1 (nginx, else haproxy, else undici)
  --node PATH         the Node that rollcall and the libraries for Node run under (this one)
  --json FILE         all figures of all rounds; - is standard output
  --markdown FILE     the table with date, machine and versions; - is standard output
  --help

Each is started anew every round, on one CPU, with the load generator and the nodes on others, all on the loopback. What
ratios mean, and what they do not, is in packages/bench/README.md.`;

/** Reads the words after `npm run bench --`; `undefined` when they ask for help. Throws a BenchError that says what to do. */
export function readOptions(words: readonly string[]): BenchOptions | undefined {
  const given = parsed(words);
  if (given.help) return undefined;
  const modes = [given.full && 'full', given.compare !== undefined && 'compare', given.scaling && 'scaling'].filter(
    (mode): mode is Mode => typeof mode === 'string',
  );
  if (modes.length > 1) throw new BenchError(`--${modes.join(' and --')} are different measurements: name one`);
  const mode = modes[0] ?? 'side-by-side';
  const [only, rows] = [nameList('--only', given.only, CONTENDER_NAMES), nameList('--rows', given.rows, ROW_NAMES)];
  if (rows.length > 0 && mode !== 'full' && mode !== 'compare')
    throw new BenchError('--rows goes with --full or --compare');
  if (only.length > 0 && (mode === 'compare' || mode === 'scaling'))
    throw new BenchError(`--only goes with other proxies; --${mode} measures rollcall alone`);
  const [reference] = nameList('--reference', given.reference, CONTENDER_NAMES);
  if (reference !== undefined && only.length > 0 && !only.includes(reference))
    throw new BenchError(`--reference ${reference} is not in --only: add it there`);
  return {
    mode,
    only,
    rows,
    rounds: wholeNumber('--rounds', given.rounds, 1, 1_000) ?? DEFAULTS[mode].rounds,
    measureMs: (wholeNumber('--secs', given.secs, 1, 3_600) ?? DEFAULTS[mode].secs) * 1_000,
    connections: wholeNumber('--conns', given.conns, 1, 8_000) ?? 64,
    rate: wholeNumber('--rate', given.rate, 0, 200_000) ?? (mode === 'side-by-side' ? undefined : 0),
    reference,
    node: given.node ?? process.execPath,
    revisions: given.compare === undefined ? undefined : revisionsOf(given.compare),
    jsonFile: given.json,
    markdownFile: given.markdown,
  };
}

function parsed(words: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...words],
      options: {
        full: flag,
        scaling: flag,
        help: { ...flag, short: 'h' },
        compare: text,
        only: text,
        rows: text,
        rounds: text,
        secs: text,
        conns: text,
        rate: text,
        reference: text,
        node: text,
        json: text,
        markdown: text,
      },
    }).values;
  } catch (error) {
    throw new BenchError(`${(error as Error).message.split('. ')[0]}; --help shows what there is`);
  }
}

function revisionsOf(text: string): readonly [string, string | undefined] {
  const [first, second, ...more] = text.split('..');
  if (!first || second === '' || more.length > 0 || text.startsWith('-'))
    throw new BenchError(`--compare ${text}: it must be REV, or A..B for two of them`);
  return [first, second];
}
