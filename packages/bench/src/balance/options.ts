/** What `npm run bench -- balance` was asked for, checked. */
import { parseArgs } from 'node:util';
import { BenchError } from '../bench-error.ts';
import { nameList, wholeNumber } from '../words.ts';
import { BALANCER_NAMES } from './balancers/all.ts';
import { SCENARIO_NAMES } from './scenario.ts';

export interface BalanceOptions {
  readonly mode: 'balance';
  /** Names of balancers; empty: all that are here. */
  readonly balancers: readonly string[];
  /** Names of scenarios; empty: all. */
  readonly scenarios: readonly string[];
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** In place of each scenario's own, 0–1.5; `undefined`: its own. */
  readonly utilisation: number | undefined;
  /** Workers of ours. */
  readonly workers: number;
  /** Processes of each balancer; clients take any of them. */
  readonly proxies: number;
  /** Passes at a time, each with nodes and clients of its own. */
  readonly lanes: number;
  /** Of the first round; each further one has the next. */
  readonly seed: number;
  /** Path of the Node that ours runs under. */
  readonly node: string;
  readonly jsonFile: string | undefined;
  readonly markdownFile: string | undefined;
}

const DEFAULT_SECS = 20;
const DEFAULT_WARM_UP_SECS = 5;

export const BALANCE_HELP: string = `Which node a request goes to, and how long users wait for it: rollcall beside other balancers on twelve nodes
whose CPUs are virtual, so that rules are compared and not how fast they are carried out.

  npm run bench -- balance                         all scenarios, all balancers that are here, about 20 minutes
  npm run bench -- balance --only speeds,rollcall,haproxy-leastconn
  npm run bench -- balance --rounds 3 --secs 300   full length, where a p99 holds within some percent: about 13 hours

  --only NAME,…       scenarios, of ${SCENARIO_NAMES.join(', ')};
                      balancers, of ${BALANCER_NAMES.slice(0, 5).join(', ')},
                      ${BALANCER_NAMES.slice(5).join(', ')}
  --rounds N          passes of each balancer in each scenario (1)
  --secs N            how long each is measured (${DEFAULT_SECS})
  --warm-up N         seconds of traffic before that (${DEFAULT_WARM_UP_SECS})
  --utilisation N     offered work by capacity, in percent (90; 70 where nodes fail, join or leave; 60 with sessions)
  --workers N         workers of rollcall (1)
  --proxies N         processes of each balancer, clients take any of them; of rollcall as many workers (1)
  --lanes N           passes at a time, each with nodes and clients of its own (2)
  --seed N            other requests and other work (1)
  --node PATH         the Node that rollcall runs under (this one)
  --json FILE         all figures of all passes; - is standard output
  --markdown FILE     the tables with date, machine and versions; - is standard output
  --help

What the figures mean, and what they do not, is in packages/bench/README.md.`;

/** Reads the words after `balance`; `undefined` when they ask for help. Throws a BenchError that says what to do. */
export function readBalanceOptions(words: readonly string[]): BalanceOptions | undefined {
  const given = parsed(words);
  if (given.help) return undefined;
  const only = nameList('--only', given.only, [...SCENARIO_NAMES, ...BALANCER_NAMES]);
  const percent = wholeNumber('--utilisation', given.utilisation, 1, 150);
  return {
    mode: 'balance',
    balancers: only.filter((name) => BALANCER_NAMES.includes(name)),
    scenarios: only.filter((name) => SCENARIO_NAMES.includes(name)),
    rounds: wholeNumber('--rounds', given.rounds, 1, 1_000) ?? 1,
    warmUpMs: (wholeNumber('--warm-up', given['warm-up'], 1, 3_600) ?? DEFAULT_WARM_UP_SECS) * 1_000,
    measureMs: (wholeNumber('--secs', given.secs, 1, 3_600) ?? DEFAULT_SECS) * 1_000,
    utilisation: percent === undefined ? undefined : percent / 100,
    workers: wholeNumber('--workers', given.workers, 1, 64) ?? 1,
    proxies: wholeNumber('--proxies', given.proxies, 1, 64) ?? 1,
    lanes: wholeNumber('--lanes', given.lanes, 1, 64) ?? 2,
    seed: wholeNumber('--seed', given.seed, 0, 1_000_000) ?? 1,
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
        only: text,
        rounds: text,
        secs: text,
        'warm-up': text,
        utilisation: text,
        workers: text,
        proxies: text,
        lanes: text,
        seed: text,
        node: text,
        json: text,
        markdown: text,
      },
    }).values;
  } catch (error) {
    throw new BenchError(`${(error as Error).message.split('. ')[0]}; balance --help shows what there is`);
  }
}
