/** Tables with the ratios of contenders. */
import { ratioSpread, type Spread, spreadOf } from '../numbers/spread.ts';
import { type CostSample, failuresOf, type LatencySample, type Result } from '../runs/sample.ts';
import type { SideBySide } from '../runs/side-by-side.ts';
import { ABSENT, figure, mebibytes, multiple, multipleWithSpread } from './figures.ts';
import type { Table } from './table.ts';

/** Mark of a contender with failures. */
const FAILED = '✗';
/** CPU use from which the generator counts as saturated, 0–1. */
const GENERATOR_FULL = 0.95;
/** Share of excluded latencies from which a note is added, 0–1. */
const MANY_SPOILED = 0.2;
/** CPU share of other programs from which they determine the p99, 0–1. */
const MUCH_TAKEN = 0.02;

/** Table of one scenario: a row per contender, in order of cost. The figures of `reference` are 1. */
export function comparisonTable({ scenario, results, rate }: SideBySide, reference: string): Table {
  const base = results.find(({ name }) => name === reference);
  const cpu = (result: Result): Spread | undefined => costRatio(result, base, ({ cpuUs }) => cpuUs);
  const sorted = [...results].sort((one, other) => (cpu(one)?.median ?? 1e9) - (cpu(other)?.median ?? 1e9));
  return {
    title: `${capital(scenario.title)}: multiples of ${reference}`,
    columns: [
      'contender',
      'CPU per request',
      'user',
      'system',
      'requests/s',
      ...(rate > 0 ? ['p50', 'p99'] : []),
      'memory MiB',
      'wrong answers',
    ],
    rows: sorted.map((result) => [
      nameOf(result),
      multipleWithSpread(cpu(result)),
      // Both relative to the total CPU time of the reference, so that they add up to the previous column.
      multiple(partOf(result, base, ({ userUs }) => userUs)),
      multiple(partOf(result, base, ({ systemUs }) => systemUs)),
      multipleWithSpread(costRatio(result, base, ({ perSecond }) => perSecond)),
      ...(rate > 0
        ? [
            multipleWithSpread(latencyRatio(result, base, ({ p50Us }) => p50Us)),
            multipleWithSpread(latencyRatio(result, base, ({ p99Us }) => p99Us)),
          ]
        : []),
      mebibytes(spreadOf(result.cost.map(({ memoryBytes }) => memoryBytes))?.median),
      String(failuresOf(result)),
    ]),
    notes: [...baseNotes(base, rate), ...troubles(results)],
  };
}

/** Table of several scenarios: a row per scenario, a column per contender. */
export function overviewTable(all: readonly SideBySide[], names: readonly string[], reference: string): Table {
  return {
    title: `CPU per request: multiples of ${reference}; idle connections: KiB of memory each`,
    columns: ['', ...names],
    rows: all.map(({ scenario, results }) => {
      const base = results.find(({ name }) => name === reference);
      return [
        scenario.title,
        ...names.map((name) => {
          const result = results.find((one) => one.name === name);
          if (result === undefined) return ABSENT;
          const figures =
            scenario.measures === 'idle'
              ? figure(spreadOf(result.idle.map(({ bytesPerConnection }) => bytesPerConnection / 1_024))?.median, 1)
              : multipleWithSpread(costRatio(result, base, ({ cpuUs }) => cpuUs));
          return failuresOf(result) > 0 || result.error !== undefined ? `${FAILED} ${figures}` : figures;
        }),
      ];
    }),
    notes: all.flatMap(({ scenario, results }) =>
      troubles(results).map((note) => `${capital(scenario.title)}: ${note}`),
    ),
  };
}

type Part = (sample: CostSample) => number;

function costRatio(result: Result, base: Result | undefined, part: Part): Spread | undefined {
  return ratioSpread(result.cost.map(part), base?.cost.map(part) ?? []);
}

function latencyRatio(result: Result, base: Result | undefined, part: (sample: LatencySample) => number) {
  return ratioSpread(result.latency.map(part), base?.latency.map(part) ?? []);
}

function partOf(result: Result, base: Result | undefined, part: Part): number | undefined {
  return ratioSpread(result.cost.map(part), base?.cost.map(({ cpuUs }) => cpuUs) ?? [])?.median;
}

function nameOf(result: Result): string {
  const isFlawed = failuresOf(result) > 0 || result.error !== undefined;
  return `${isFlawed ? `${FAILED} ` : ''}${result.name} ${result.version}`;
}

function baseNotes(base: Result | undefined, rate: number): string[] {
  const median = (part: Part): number | undefined => spreadOf(base?.cost.map(part) ?? [])?.median;
  if (base === undefined || base.cost.length === 0) return ['The reference was not measured.'];
  const latency = (part: (sample: LatencySample) => number): number | undefined =>
    spreadOf(base.latency.map(part))?.median;
  const notes = [
    `${base.name} itself: ${figure(
      median(({ cpuUs }) => cpuUs),
      1,
    )} µs CPU per request, ${figure(
      median(({ perSecond }) => perSecond),
      0,
    )} requests/s.`,
  ];
  if (rate > 0)
    notes.push(
      `Latencies at ${rate} requests/s, from when each was due; ${base.name}: p50 ${figure(
        (latency(({ p50Us }) => p50Us) ?? Number.NaN) / 1_000,
        2,
      )} ms, p99 ${figure((latency(({ p99Us }) => p99Us) ?? Number.NaN) / 1_000, 2)} ms.`,
    );
  return notes;
}

/** Notes that limit the validity of the figures. */
function troubles(results: readonly Result[]): string[] {
  const notes: string[] = [];
  for (const { name, cost, latency, idle, error } of results) {
    const kinds = new Map<string, number>();
    for (const { failures } of [...cost, ...latency, ...idle])
      for (const [why, times] of Object.entries(failures)) kinds.set(why, (kinds.get(why) ?? 0) + times);
    if (kinds.size > 0)
      notes.push(`${FAILED} ${name}: ${[...kinds].map(([why, times]) => `${times} × ${why}`).join(', ')}.`);
    if (error !== undefined) notes.push(`${FAILED} ${name}: ${error.split('\n')[0]}`);
    if (cost.some(({ generatorBusyRatio }) => generatorBusyRatio > GENERATOR_FULL))
      notes.push(`${name}: the load generator was saturated; requests/s are lower bounds.`);
  }
  const spoiled = Math.max(0, ...results.flatMap(({ latency }) => latency.map(({ spoiledRatio }) => spoiledRatio)));
  if (spoiled > MANY_SPOILED)
    notes.push(
      `Up to ${figure(spoiled * 100, 0)} % of the latencies of a round are excluded, because the generator was interrupted. Measure again on an idle machine.`,
    );
  const taken = Math.max(0, ...results.flatMap(({ latency }) => latency.map(({ othersRatio }) => othersRatio || 0)));
  if (taken > MUCH_TAKEN)
    notes.push(
      `Other programs had up to ${figure(taken * 100, 0)} % of the CPU of contenders or nodes during the measurement of latencies, which affects p99. Measure again on an idle machine.`,
    );
  return notes;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
