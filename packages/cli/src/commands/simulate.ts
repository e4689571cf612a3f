import { loadAlgorithm } from '@rollcall/proxy';
import {
  builtInNames,
  builtInScenario,
  CONTENDER_NAMES,
  type Contender,
  type ContenderRow,
  compare,
  contenderOf,
  readScenarioFile,
  type Scenario,
  ScenarioProblem,
  usualContenders,
  withOverrides,
} from '@rollcall/simulator';
import { Command, InvalidArgumentError } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { table } from '../format.ts';
import { nearest } from '../nearest.ts';
import { algorithmFile, isAlgorithmFile } from '../settings/algorithm-files.ts';
import { simulationTable } from '../simulation-table.ts';
import { printJson } from './reader-flags.ts';

interface SimulateFlags {
  readonly algorithm: readonly string[];
  readonly seed: number;
  readonly seeds: number;
  readonly proxies?: number;
  readonly nodes?: number;
  readonly utilisation?: number;
  readonly json?: boolean;
  readonly list?: boolean;
}

const USUAL_SCENARIO = 'antagonists';
/** Time between two lines of progress, milliseconds. */
const PROGRESS_MS = 250;

/** `rollcall simulate`: simulated waiting times of users under several algorithms. */
export function simulateCommand(): Command {
  return new Command('simulate')
    .description('compare algorithms over simulated traffic')
    .argument('[scenario...]', `names of --list or .json files (default: ${USUAL_SCENARIO})`)
    .option(
      '--algorithm <name>',
      'name of --list, or a file like ./mine.js; repeatable, or a list with commas',
      collect,
      [],
    )
    .option('--seed <number>', 'first seed: the same seed gives the same requests', count(0), 1)
    .option('--seeds <number>', 'seeds to run; the table shows median and worst', count(1), 2)
    .option('--proxies <number>', 'number of proxies (default: as in the scenario)', count(1))
    .option(
      '--nodes <number>',
      'number of nodes, with speeds in the same proportion (default: as in the scenario)',
      count(1),
    )
    .option('--utilisation <ratio>', 'offered work over capacity (default: as in the scenario)', ratio)
    .option('--json', 'machine-readable output, one line per scenario')
    .option('--list', 'print scenarios and algorithms')
    .addHelpText(
      'after',
      `
A scenario of your own is a JSON file; start with a copy of one in packages/simulator/scenarios.
An algorithm of your own exports a function by default: ({ rng }) => ({ pick(candidates, request, tried) }).`,
    )
    .action(async (names: readonly string[], flags: SimulateFlags) => {
      if (flags.list) list(flags);
      else await simulate(names.length > 0 ? names : [USUAL_SCENARIO], flags);
    });
}

async function simulate(names: readonly string[], flags: SimulateFlags): Promise<void> {
  const scenarios = names.map((name) => scenarioOf(name, flags));
  const asked = await Promise.all(flags.algorithm.map(contender));
  const seeds = Array.from({ length: flags.seeds }, (_, i) => flags.seed + i);
  for (const [i, scenario] of scenarios.entries()) {
    const contenders = asked.length > 0 ? asked : usualContenders(scenario);
    const progress = new ProgressLine();
    const rows = compare(scenario, contenders, seeds, ({ contender, seed, part }) =>
      progress.show(`${scenario.name}: ${contender}, seed ${seed}, ${Math.floor(part * 100)} %`),
    );
    progress.clear();
    if (flags.json) printJson({ scenario: scenario.name, seeds, rows: rows.map(rowOf) });
    else {
      const { name, about = '', proxies, utilisation } = scenario;
      const nodes = scenario.nodes.reduce((sum, group) => sum + group.count, 0);
      const heading = `${name}: ${about ? `${about}; ` : ''}${nodes} nodes, ${proxies} ${proxies === 1 ? 'proxy' : 'proxies'}, utilisation ${utilisation}, ${seeds.length === 1 ? `seed ${seeds[0]}` : `seeds ${seeds[0]} to ${seeds.at(-1)}, median (worst)`}`;
      process.stdout.write(`${i > 0 ? '\n' : ''}${heading}\n${simulationTable(rows)}\n`);
    }
  }
}

function scenarioOf(name: string, { proxies, nodes, utilisation }: SimulateFlags): Scenario {
  const isFile = /[/\\]|\.json$/.test(name);
  const found = isFile ? readScenarioFile(name) : builtInScenario(name);
  if (found === undefined)
    throw new CliFailure(`there is no scenario ${name}${nearest(name, builtInNames())}; see --list`, EXIT.usage);
  if (found instanceof ScenarioProblem) throw new CliFailure(`${name}: ${found.message}`, EXIT.usage);
  const scenario = withOverrides(found, { proxies, nodes, utilisation });
  if (scenario instanceof ScenarioProblem) throw new CliFailure(`${name}: ${scenario.message}`, EXIT.usage);
  return scenario;
}

async function contender(name: string): Promise<Contender> {
  if (isAlgorithmFile(name)) {
    const own = algorithmFile(name);
    try {
      return { name: own.name, requests: await loadAlgorithm(own.file, own.name) };
    } catch (error) {
      throw new CliFailure((error as Error).message, EXIT.usage);
    }
  }
  const known = contenderOf(name);
  if (known === undefined)
    throw new CliFailure(`there is no algorithm ${name}${nearest(name, CONTENDER_NAMES)}; see --list`, EXIT.usage);
  return known;
}

function list({ json }: SimulateFlags): void {
  const scenarios = builtInNames().map((name) => ({ name, about: builtInScenario(name)?.about ?? '' }));
  if (json) printJson({ scenarios, algorithms: CONTENDER_NAMES });
  else {
    const rows = scenarios.map(({ name, about }) => [name, about]);
    process.stdout.write(`${table(['SCENARIO', ''], rows)}\n\nalgorithms: ${CONTENDER_NAMES.join(', ')}\n`);
  }
}

function rowOf({ contender, figures }: ContenderRow): object {
  return { algorithm: contender, ...Object.fromEntries(figures) };
}

/** The progress, on a terminal only, in one line that is overwritten. */
class ProgressLine {
  readonly #isShown = process.stderr.isTTY === true;
  #lastMs = performance.now();

  show(text: string): void {
    const nowMs = performance.now();
    if (!this.#isShown || nowMs - this.#lastMs < PROGRESS_MS) return;
    this.#lastMs = nowMs;
    process.stderr.write(`\r\x1b[2K${text}`);
  }

  clear(): void {
    if (this.#isShown) process.stderr.write('\r\x1b[2K');
  }
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, ...text.split(',').filter((name) => name !== '')];
}

function count(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value < least)
      throw new InvalidArgumentError(`It must be a whole number from ${least}.`);
    return value;
  };
}

function ratio(text: string): number {
  const value = Number(text);
  if (!/^\d*\.?\d+$/.test(text) || !(value > 0 && value <= 10))
    throw new InvalidArgumentError('It must be a number like 0.9.');
  return value;
}
