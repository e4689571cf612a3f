/** Options of `npm run bench`. */
import { BenchError } from './bench-error.ts';
import { CONTENDER_NAMES } from './contenders/all.ts';
import { flagsOf, nameList, SWITCH, TEXT, wholeNumber } from './words.ts';

/** `side-by-side`: with other proxies; `full`: the same in many rows; `compare`: with another revision; `scaling`: by size. */
export type Mode = 'side-by-side' | 'full' | 'compare' | 'scaling';

export interface BenchOptions {
  readonly mode: Mode;
  /** Names of contenders; empty: the default of the mode. */
  readonly only: readonly string[];
  /** Names of rows of `full`; empty: all rows, in `compare` the first row. */
  readonly rows: readonly string[];
  readonly rounds: number;
  readonly measureMs: number;
  readonly connections: number;
  /** Rate of open-loop runs, requests per second; `undefined`: from the measured maximum; 0: no such runs. */
  readonly rate: number | undefined;
  /** Contender to which ratios refer; `undefined`: the first default one that takes part. */
  readonly reference: string | undefined;
  /** Path of the Node that runs Rollcall and the libraries for Node. */
  readonly node: string;
  /** Revisions to compare; the second is `undefined` for the working tree. Only in `compare`. */
  readonly revisions: readonly [string, string | undefined] | undefined;
  /** Paths of output files; `-` is standard output. */
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

export const HELP: string = `Measures the cost of a request: compared with other proxies, with other revisions, and at scale.

  npm run bench                          all installed proxies, about 9 minutes
  npm run bench -- --full                more kinds of traffic, fewer proxies, about 20 minutes
  npm run bench -- --compare REV         the working tree and a revision; A..B: two revisions
  npm run bench -- --scaling             more workers, nodes and connections, about 4 minutes
  npm run bench -- control               what up to 10,000 nodes cost the control plane, about 9 minutes; --help of its own

  --only NAME,…       contenders: ${CONTENDER_NAMES.join(', ')}
  --rows NAME,…       rows of --full and --compare: ${ROW_NAMES.join(', ')}
  --rounds N          rounds of measurement (default ${Object.entries(DEFAULTS)
    .map(([mode, { rounds }]) => `${mode} ${rounds}`)
    .join(', ')})
  --secs N            duration of each measurement, seconds (default ${Object.entries(DEFAULTS)
    .map(([mode, { secs }]) => `${mode} ${secs}`)
    .join(', ')})
  --conns N           connections (default 64)
  --rate N            rate of latency runs, requests/s (default 40 % of the slowest maximum); 0: no such runs
  --reference NAME    contender whose figures are 1 (default nginx, else haproxy, else undici)
  --node PATH         the Node that runs rollcall and the libraries for Node (default: this one)
  --json FILE         file for all figures of all rounds; - is standard output
  --markdown FILE     file for the table with date, machine and versions; - is standard output
  --help

Each contender is started again in every round, on one CPU. The load generator and the nodes have other CPUs. All connections
use the loopback interface. packages/bench/README.md explains the ratios and their limits.`;

const FLAGS = {
  full: SWITCH,
  scaling: SWITCH,
  help: { ...SWITCH, short: 'h' },
  compare: TEXT,
  only: TEXT,
  rows: TEXT,
  rounds: TEXT,
  secs: TEXT,
  conns: TEXT,
  rate: TEXT,
  reference: TEXT,
  node: TEXT,
  json: TEXT,
  markdown: TEXT,
} as const;

/** Parses the arguments after `npm run bench --`; `undefined` for `--help`. Throws a BenchError for invalid options. */
export function readOptions(words: readonly string[]): BenchOptions | undefined {
  const given = flagsOf(words, FLAGS, '--help');
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

function revisionsOf(text: string): readonly [string, string | undefined] {
  const [first, second, ...more] = text.split('..');
  if (!first || second === '' || more.length > 0 || text.startsWith('-'))
    throw new BenchError(`--compare ${text}: must be REV, or A..B for two revisions`);
  return [first, second];
}
