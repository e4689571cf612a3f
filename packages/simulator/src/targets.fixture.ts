/**
 * Runs scenarios for tests that compare the algorithms with published rules. Every figure is a median over seeds;
 * `rollcall simulate SCENARIO --seeds N` prints all figures.
 */
import assert from 'node:assert/strict';
import { builtInScenario } from './built-in-scenarios.ts';
import { compare, type Outcome } from './comparison.ts';
import { contenderOf } from './contenders.ts';
import { type Overrides, withOverrides } from './overrides.ts';
import type { Scenario } from './scenario.ts';
import { ScenarioProblem } from './scenario-file.ts';

const SEEDS = [1, 2];
/** More seeds for sticky sessions, because their figures vary more between seeds. */
export const STICKY_SEEDS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8];

type Figures = ReadonlyMap<string, Outcome>;

export function scenario(name: string, overrides: Overrides = {}, differs: Partial<Scenario> = {}): Scenario {
  const found = withOverrides({ ...builtInScenario(name)!, ...differs }, overrides);
  assert.ok(!(found instanceof ScenarioProblem));
  return found;
}

const known = new Map<string, Figures>();

/** The figures of a contender. Results are cached, because several targets use the same runs. */
function figures(of: Scenario, contender: string, seeds: readonly number[] = SEEDS): Figures {
  const key = JSON.stringify([of, contender, seeds]);
  const found = known.get(key) ?? compare(of, [contenderOf(contender)!], seeds)[0]!.figures;
  known.set(key, found);
  return found;
}

export function median(of: Scenario, contender: string, figure = 'p99Ms', seeds: readonly number[] = SEEDS): number {
  return figures(of, contender, seeds).get(figure)!.median;
}

/** Asserts that the ratio of the p99 of `ours` to the p99 of `theirs` is at most `limit`. */
export function holds(
  of: Scenario,
  theirs: string,
  limit: number,
  ours = 'adaptive',
  seeds: readonly number[] = SEEDS,
): void {
  const ratio = median(of, ours, 'p99Ms', seeds) / median(of, theirs, 'p99Ms', seeds);
  console.log(
    `# ${of.name} P=${of.proxies} at ${of.utilisation}: ${ours} / ${theirs} ${ratio.toPrecision(3)}, at most ${limit}`,
  );
  assert.ok(ratio <= limit, `${ours} over ${theirs}: ${ratio}`);
}

/** The default of mod_cluster: nodes report their load every ten seconds. */
export const TEN_SECONDS: Partial<Scenario> = { reportMs: 10_000 };
