/** `npm run bench -- balance`: every balancer in every scenario, on nodes whose CPUs are virtual. */
import { BenchError } from '../bench-error.ts';
import { figure, roughly } from '../output/figures.ts';
import type { Measured } from '../runs/measured.ts';
import type { Workplace } from '../system/workplace.ts';
import { balanceTable, joinWords, overviewTable, type ScenarioResult } from './balance-table.ts';
import { allBalancers } from './balancers/all.ts';
import type { Balancer } from './balancers/balancer.ts';
import type { BalanceOptions } from './options.ts';
import { type Pass, playPass } from './pass.ts';
import { type BalanceScenario, balanceScenarios } from './scenario.ts';
import type { PassFigures } from './statistics.ts';

/** What a measurement of balancers has to work with. */
export interface BalanceBench {
  readonly options: BalanceOptions;
  readonly workplace: Workplace;
  /** Top of the clone. */
  readonly root: string;
  /** Progress, a line each. */
  readonly say: (line: string) => void;
  /** What was left out and why, filled meanwhile. */
  readonly leftOut: string[];
}

/** What a pass takes besides its traffic: start, the last answers, end. Milliseconds. */
const AROUND_MS = 4_000;

/** Plays all passes and returns a table for each scenario. A balancer that fails is told and left out of the pass. */
export async function measureBalance(bench: BalanceBench): Promise<Measured> {
  const { options, workplace, say } = bench;
  const { rounds, proxies, lanes, seed } = options;
  const length = { warmUpMs: options.warmUpMs, measureMs: options.measureMs };
  const scenarios = balanceScenarios(length, options.utilisation).filter(
    ({ name }) => options.scenarios.length === 0 || options.scenarios.includes(name),
  );
  const balancers = presentBalancers(bench);
  const results = scenarios.map((scenario) => resultOf(bench, scenario, balancers));
  const queue = results.flatMap((result) => passesOf(result, rounds));
  const passMs = options.warmUpMs + options.measureMs + AROUND_MS;
  say(`${queue.length} passes, ${lanes} at a time: about ${roughly((queue.length / lanes) * passMs)}`);

  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { result, balancer, round } = next;
      const pass: Pass = { balancer, scenario: result.scenario, length, seed: (seed + round) * 1_000, proxies };
      const row = result.rows.find(({ name }) => name === balancer.name)!;
      const told = await playPass(workplace, pass).then(
        (figures) => {
          row.passes[round] = figures;
          return summary(figures);
        },
        (error: Error) => {
          workplace.signal.throwIfAborted();
          row.error = error.message;
          return `failed: ${error.message}`;
        },
      );
      say(`${result.scenario.name}, round ${round + 1}/${rounds}, ${balancer.name}: ${told}`);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const versions: Record<string, string> = {};
  for (const balancer of balancers) versions[balancer.name.split('-')[0]!] = balancer.version() ?? 'unknown';
  return {
    tables: [...overviewTable(results), ...results.map(balanceTable)],
    versions,
    data: { ...length, rounds, proxies, lanes, seed, scenarios: results },
  };
}

/** Those that are installed, or that this build knows. Asked for by name, one that is not is an error. */
function presentBalancers({ options, root, say, leftOut }: BalanceBench): readonly Balancer[] {
  const present: Balancer[] = [];
  for (const balancer of allBalancers(root, options.node, options.workers)) {
    if (options.balancers.length > 0 && !options.balancers.includes(balancer.name)) continue;
    if (balancer.version() !== undefined) {
      present.push(balancer);
      continue;
    }
    if (options.balancers.length > 0) throw new BenchError(`${balancer.name} is not here: ${balancer.remedy}`);
    const why = `${balancer.name} is left out: ${balancer.remedy}.`;
    leftOut.push(why);
    say(why);
  }
  return present;
}

function resultOf(
  { say, leftOut }: BalanceBench,
  scenario: BalanceScenario,
  balancers: readonly Balancer[],
): ScenarioResult & { readonly balancers: readonly Balancer[] } {
  const hasSessions = scenario.traffic.kind !== 'requests';
  const able = balancers.filter(({ name, keepsSessions }) => {
    if (keepsSessions || !hasSessions) return true;
    const why = `${name} is left out of ${scenario.name}: it keeps no sessions.`;
    leftOut.push(why);
    say(why);
    return false;
  });
  return { scenario, balancers: able, rows: able.map(({ name }) => ({ name, passes: [] })) };
}

/** Rounds one after the other, each beginning with another balancer. */
function passesOf(result: ScenarioResult & { readonly balancers: readonly Balancer[] }, rounds: number) {
  const { balancers } = result;
  return Array.from({ length: rounds }, (_, round) =>
    balancers.map((_balancer, i) => ({ result, round, balancer: balancers[(i + round) % balancers.length]! })),
  ).flat();
}

function summary({ p50Ms, p99Ms, errorRatio, workSpread, sessionSpread, join }: PassFigures): string {
  const parts = [`p50 ${figure(p50Ms, 0)} ms`, `p99 ${figure(p99Ms, 0)} ms`];
  if (errorRatio > 0) parts.push(`${figure(errorRatio * 100, 2)} % failed`);
  parts.push(`work ${figure(workSpread, 2)}`);
  if (sessionSpread !== undefined) parts.push(`sessions ${figure(sessionSpread, 2)}`);
  if (join !== undefined) parts.push(joinWords(join));
  return parts.join(', ');
}
