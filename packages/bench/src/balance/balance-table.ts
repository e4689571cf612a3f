/** Tables of `balance`. */
import { spreadOf } from '../numbers/spread.ts';
import { ABSENT, figure, multiple } from '../output/figures.ts';
import type { Table } from '../output/table.ts';
import { OURS } from './balancers/all.ts';
import { type BalanceScenario, DEADLINE_MS } from './scenario.ts';
import type { JoinFigures, PassFigures } from './statistics.ts';

export interface BalancerResult {
  readonly name: string;
  /** By round; one that failed is missing. */
  readonly passes: PassFigures[];
  /** Why the last one failed that did. */
  error?: string;
}

export interface ScenarioResult {
  readonly scenario: BalanceScenario;
  readonly rows: readonly BalancerResult[];
}

interface Column {
  readonly title: string;
  cell(passes: readonly PassFigures[]): string;
}

/** Where clients and nodes were later than this themselves, it is told. */
const LATE_MS = 5;

/** Medians over the rounds; of p99 the least and the greatest as well. */
export function balanceTable({ scenario, rows }: ScenarioResult): Table {
  const columns = columnsOf(scenario);
  const ours = rows.find(({ name }) => name === OURS);
  const ourP99 = ours && median(passesOf(ours), ({ p99Ms }) => p99Ms);
  const rounds = Math.max(0, ...rows.map((row) => passesOf(row).length));
  return {
    title: `${scenario.name}: ${scenario.title}${load(scenario)}, ${rounds} round${rounds === 1 ? '' : 's'}`,
    columns: ['', ...columns.map(({ title }) => title), 'p99 of ours ÷ its'],
    rows: rows.map((row) => {
      const passes = passesOf(row);
      const p99 = median(passes, ({ p99Ms }) => p99Ms);
      return [
        row.error === undefined ? row.name : `${row.name} ✗`,
        ...columns.map(({ cell }) => cell(passes)),
        ourP99 === undefined ? ABSENT : multiple(ourP99 / p99),
      ];
    }),
    notes: [...failureNotes(scenario, rows), ...lateNotes(rows)],
  };
}

/** The one figure of each scenario that says most, for all balancers; nothing of a single scenario. */
export function overviewTable(results: readonly ScenarioResult[]): readonly Table[] {
  if (results.length < 2) return [];
  const names = new Set(results.flatMap(({ rows }) => rows.map(({ name }) => name)));
  const columns = results.map(({ scenario }) => ({ scenario, ...mainColumn(scenario) }));
  return [
    {
      title: 'Each scenario in one figure',
      columns: ['', ...columns.map(({ scenario, title }) => `${scenario.name}: ${title}`)],
      rows: [...names].map((name) => [
        name,
        ...columns.map(({ cell }, i) => {
          const row = results[i]!.rows.find((one) => one.name === name);
          return row === undefined ? ABSENT : cell(passesOf(row));
        }),
      ]),
      notes: [],
    },
  ];
}

/** When a node had its share, and how much of it at most. */
export function joinWords({ t90Ms, watchedMs, peakShare }: JoinFigures): string {
  return `share after ${seconds(t90Ms, watchedMs)} s, at most ${figure(peakShare, 2)}`;
}

/** A round that failed has left a hole. */
function passesOf({ passes }: BalancerResult): readonly PassFigures[] {
  return passes.filter((pass) => pass !== undefined);
}

function mainColumn(scenario: BalanceScenario): Column {
  const { shows, steps } = scenario;
  const fails = shows === 'drain' || steps.some(({ does }) => does.kind === 'fail');
  const wanted = fails
    ? 'failed'
    : { requests: 'p99,', sessions: 'p99,', logins: 'sessions', join: 't90', drain: '' }[shows];
  return columnsOf(scenario).find(({ title }) => title.startsWith(wanted))!;
}

function load({ utilisation, traffic }: BalanceScenario): string {
  return traffic.kind === 'logins' ? '' : `, utilisation ${utilisation}`;
}

function columnsOf(scenario: BalanceScenario): readonly Column[] {
  const { shows, traffic } = scenario;
  const ms = (title: string, part: (pass: PassFigures) => number): Column => ({
    title,
    cell: (passes) => milliseconds(median(passes, part)),
  });
  const number = (title: string, part: (pass: PassFigures) => number | undefined): Column => ({
    title,
    cell: (passes) => figure(median(passes, part), 2),
  });
  const latencies: Column[] = [
    ms('p50, ms', ({ p50Ms }) => p50Ms),
    { title: 'p99, ms', cell: spreadOfP99 },
    ms('p99.9, ms', ({ p999Ms }) => p999Ms),
    number('failed, %', ({ errorRatio }) => errorRatio * 100),
  ];
  const work = number('work, max ÷ mean', ({ workSpread }) => workSpread);
  const sessions = number('sessions, max ÷ mean', ({ sessionSpread }) => sessionSpread);
  switch (shows) {
    case 'requests':
    case 'drain':
      return [...latencies, work];
    case 'sessions':
      return [...latencies, work, sessions, number('moved, %', ({ movedRatio }) => (movedRatio ?? Number.NaN) * 100)];
    case 'logins':
      return [...latencies, sessions];
    case 'join': {
      const lifeMs = traffic.kind === 'sessions' ? traffic.lifeMs : undefined;
      const t90: Column = {
        title: lifeMs === undefined ? 't90, s' : 't90, lives',
        cell(passes) {
          const t90Ms = median(passes, ({ join }) => join?.t90Ms);
          return seconds(t90Ms, passes[0]?.join?.watchedMs ?? Number.NaN, lifeMs);
        },
      };
      return [...latencies, t90, number('peak share', ({ join }) => join?.peakShare)];
    }
  }
}

function spreadOfP99(passes: readonly PassFigures[]): string {
  const spread = spreadOf(passes.map(({ p99Ms }) => p99Ms));
  if (spread === undefined) return ABSENT;
  const median = milliseconds(spread.median);
  return passes.length === 1 ? median : `${median} (${milliseconds(spread.min)}–${milliseconds(spread.max)})`;
}

/** What went wrong at whom; a node that is to fail, and a deadline that a rule cannot keep, are in the share of failures. */
function failureNotes({ steps }: BalanceScenario, rows: readonly BalancerResult[]): readonly string[] {
  const fails = steps.some(({ does }) => does.kind === 'fail');
  return rows.flatMap(({ name, passes, error }) => {
    const failures: Record<string, number> = {};
    for (const pass of passes)
      for (const [why, times] of Object.entries(pass?.failures ?? {})) failures[why] = (failures[why] ?? 0) + times;
    if (fails) delete failures['status 500'];
    const told = Object.entries(failures).map(([why, times]) => `${times} × ${why}`);
    return [
      ...(told.length > 0 ? [`${name} failed: ${told.join(', ')}.`] : []),
      ...(error === undefined ? [] : [`✗ ${name}: ${error.split('\n')[0]}`]),
    ];
  });
}

function lateNotes(rows: readonly BalancerResult[]): readonly string[] {
  const late = rows.filter(({ passes }) => passes.some((pass) => pass !== undefined && pass.lateMs > LATE_MS));
  if (late.length === 0) return [];
  const worst = Math.max(...late.flatMap(({ passes }) => passes.map((pass) => pass?.lateMs ?? 0)));
  const names = late.map(({ name }) => name).join(', ');
  return [
    `The machine was busy: clients or nodes were themselves up to ${figure(worst, 0)} ms late (p99) with ${names}.`,
  ];
}

function median(passes: readonly PassFigures[], part: (pass: PassFigures) => number | undefined): number {
  return spreadOf(passes.map((pass) => part(pass) ?? Number.NaN))?.median ?? Number.NaN;
}

function milliseconds(ms: number): string {
  return ms >= DEADLINE_MS ? `≥ ${DEADLINE_MS}` : figure(ms, ms < 10 ? 1 : 0);
}

/** In seconds, or in units of `unitMs`; what did not come while it was watched for is more than that. */
function seconds(ms: number, watchedMs: number, unitMs = 1_000): string {
  const decimals = unitMs === 1_000 ? 1 : 2;
  return ms === Number.POSITIVE_INFINITY ? `> ${figure(watchedMs / unitMs, decimals)}` : figure(ms / unitMs, decimals);
}
