/** `npm run bench` and `--full`: Rollcall and other proxies. */
import { BenchError } from '../bench-error.ts';
import { allContenders, CONTENDER_NAMES, FULL_NAMES, REFERENCES } from '../contenders/all.ts';
import type { Contender } from '../contenders/contender.ts';
import { missingFlag } from '../contenders/rollcall.ts';
import { comparisonTable, overviewTable } from '../output/comparison-table.ts';
import { roughly } from '../output/figures.ts';
import type { Bench } from './bench.ts';
import type { Measured } from './measured.ts';
import { fullScenarios, type Scenario, smallAnswers } from './scenario.ts';
import { roundsMs, type SideBySide, sideBySide } from './side-by-side.ts';

/** Measures the scenarios. Returns a table for one scenario, an overview for several. */
export async function besideOthers(bench: Bench): Promise<Measured> {
  const { options, say } = bench;
  const isFull = options.mode === 'full';
  const contenders = presentContenders(bench, isFull ? FULL_NAMES : CONTENDER_NAMES);
  const reference = referenceOf(bench, contenders);
  const hasOurs = contenders.some(({ name }) => name === 'rollcall');
  const scenarios = isFull ? presentScenarios(bench, hasOurs) : [smallAnswers()];
  say(
    `${contenders.map(({ name }) => name).join(', ')}: about ${roughly(contenders.length * scenarios.length * roundsMs(options))}`,
  );

  const parts = await bench.parts();
  const all: SideBySide[] = [];
  for (const scenario of scenarios) {
    const able = contenders.filter((contender) => contender.can(scenario.front));
    const nodes = await bench.nodes(scenario.nodes, parts);
    all.push(await sideBySide(parts, able, scenario, nodes, { ...options, say }));
  }
  const versions: Record<string, string> = {};
  for (const { results } of all) for (const { name, version } of results) versions[name] = version;
  const names = contenders.map(({ name }) => name);
  return {
    tables: all.length === 1 ? [comparisonTable(all[0]!, reference)] : [overviewTable(all, names, reference)],
    versions,
    data: { reference, rounds: options.rounds, measureMs: options.measureMs, scenarios: all },
  };
}

/** The installed contenders. A contender that was named and is not installed is an error. */
function presentContenders(bench: Bench, usual: readonly string[]): readonly Contender[] {
  const { only, node } = bench.options;
  const wanted = only.length > 0 ? only : usual;
  const present: Contender[] = [];
  for (const contender of allContenders(bench.root, node)) {
    if (!wanted.includes(contender.name)) continue;
    if (contender.version() !== undefined) present.push(contender);
    else if (only.length > 0) throw new BenchError(`${contender.name} is not here: ${contender.remedy}`);
    else bench.leaveOut(`${contender.name} is left out: ${contender.remedy} to have it here.`);
  }
  return present;
}

function referenceOf({ options }: Bench, contenders: readonly Contender[]): string {
  const names = contenders.map(({ name }) => name);
  if (options.reference !== undefined) {
    if (!names.includes(options.reference))
      throw new BenchError(`--reference ${options.reference} does not take part; contenders are: ${names.join(', ')}`);
    return options.reference;
  }
  return REFERENCES.find((name) => names.includes(name)) ?? names[0]!;
}

/** Rows that this machine supports, and Rollcall if it takes part. */
function presentScenarios(bench: Bench, hasOurs: boolean): readonly Scenario[] {
  const { rows, node } = bench.options;
  return fullScenarios().filter(({ name, title, front }) => {
    if (rows.length > 0 && !rows.includes(name)) return false;
    const flag = hasOurs ? missingFlag({ name: 'rollcall', root: bench.root, node }, front) : undefined;
    if (flag !== undefined) {
      bench.leaveOut(`The row "${title}" is left out: this rollcall has no ${flag}.`);
      return false;
    }
    if (front.isTls && bench.certificate() === undefined) {
      bench.leaveOut(`The row "${title}" is left out: install openssl, which makes the certificate.`);
      return false;
    }
    return true;
  });
}
