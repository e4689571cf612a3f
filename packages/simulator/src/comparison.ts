/** Runs one scenario under several rules and seeds. Every rule gets the same seeds, and therefore the same requests. */
import { runScenario } from './cluster-run.ts';
import type { Contender } from './contender.ts';
import { median, type RunResult } from './measures.ts';
import type { Scenario } from './scenario.ts';

/** A figure over several seeds. */
export interface Outcome {
  readonly median: number;
  /** The maximum over the seeds; lower is better for every figure. */
  readonly worst: number;
}

/** Figures of one rule by name, in the order of the table. An undefined value, such as a share never reached, is Infinity. */
export interface ContenderRow {
  readonly contender: string;
  readonly figures: ReadonlyMap<string, Outcome>;
}

export interface ComparisonProgress {
  readonly contender: string;
  readonly seed: number;
  /** Completed fraction of the whole comparison, 0 … 1. */
  readonly part: number;
}

/** Runs each contender with each seed. Returns one row per contender, in their order. */
export function compare(
  scenario: Scenario,
  contenders: readonly Contender[],
  seeds: readonly number[],
  onProgress?: (progress: ComparisonProgress) => void,
): readonly ContenderRow[] {
  const runs = contenders.length * seeds.length;
  let done = 0;
  return contenders.map((contender) => {
    const results = seeds.map((seed) => {
      const tell =
        onProgress && ((part: number) => onProgress({ contender: contender.name, seed, part: (done + part) / runs }));
      const result = runScenario(scenario, contender, seed, tell);
      done++;
      return figuresOf(result, scenario);
    });
    const names = [...(results[0]?.keys() ?? [])];
    return {
      contender: contender.name,
      figures: new Map(names.map((name) => [name, outcomeOf(results.map((figures) => figures.get(name)!))])),
    };
  });
}

/** The figures of one run by name. Figures of sessions, joins and windows are present if the scenario has them. */
export function figuresOf(result: RunResult, { sessions }: Scenario): ReadonlyMap<string, number> {
  const { latencies, windows, join } = result;
  const figures = new Map<string, number>([
    ['requests', result.requests],
    ['p50Ms', latencies.quantile(0.5)],
    ['p99Ms', latencies.quantile(0.99)],
    ['p999Ms', latencies.quantile(0.999)],
    ['errorShare', result.errorShare],
  ]);
  for (const [name, histogram] of windows) figures.set(`${name}P99Ms`, histogram.quantile(0.99));
  figures.set('workMaxOverMean', result.workMaxOverMean);
  if (sessions) {
    figures.set('sessionsMaxOverMean', result.sessionsMaxOverMean!);
    figures.set('demandMaxOverMean', result.demandMaxOverMean!);
    if (sessions.isMovable) figures.set('movedShare', result.movedShare);
  }
  if (join) {
    if (sessions) figures.set('fairAfterLives', join.fairAfterLives ?? Number.POSITIVE_INFINITY);
    else figures.set('fairAfterMs', join.fairAfterMs ?? Number.POSITIVE_INFINITY);
    figures.set('peakShare', join.peakShare);
  }
  figures.set('ejections', result.ejections);
  return figures;
}

function outcomeOf(values: readonly number[]): Outcome {
  return { median: median(values), worst: Math.max(...values) };
}
