/** Runs one benchmark: options, measurement, report. */
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BenchError, Interrupted } from './bench-error.ts';
import { measureControl } from './control/control.ts';
import { CONTROL_HELP, type ControlOptions, readControlOptions } from './control/options.ts';
import { type BenchOptions, HELP, readOptions } from './options.ts';
import { type Report, reportJson, reportMarkdown, reportText, write } from './output/report.ts';
import { Bench } from './runs/bench.ts';
import { besideOthers } from './runs/beside-others.ts';
import { compareRevisions } from './runs/comparison.ts';
import type { Measured } from './runs/measured.ts';
import { measureScaling } from './runs/scaling.ts';
import { describeMachine } from './system/machine.ts';
import { outputOf } from './system/programs.ts';
import { Workplace } from './system/workplace.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
type AnyOptions = BenchOptions | ControlOptions;

const EXIT_CODES: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** Runs the benchmark. Resolves with the exit code: 0 measured, 1 failed, 2 invalid options, 128 + number after a signal. */
export async function main(words: readonly string[]): Promise<number> {
  const [first, ...others] = words;
  let options: AnyOptions | undefined;
  try {
    options = first === 'control' ? readControlOptions(others) : readOptions(words);
    if (options !== undefined) checkNode(options.node);
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    say(error.message);
    return 2;
  }
  if (options === undefined) {
    process.stdout.write(`${first === 'control' ? CONTROL_HELP : HELP}\n`);
    return 0;
  }
  // Rollcall settings in the environment of the user must not change the measured programs.
  for (const name of Object.keys(process.env)) if (/^(?:ROLLCALL_|NODE_OPTIONS$)/.test(name)) delete process.env[name];

  const ending = new AbortController();
  const workplace = new Workplace(ending.signal);
  const onSignal = (signal: NodeJS.Signals): void => {
    if (ending.signal.aborted) {
      workplace.kill();
      process.exit(EXIT_CODES[signal]);
    }
    say(`ending all processes after ${signal}; a second signal kills them`);
    ending.abort(new Interrupted(signal));
  };
  const signals = Object.keys(EXIT_CODES) as NodeJS.Signals[];
  for (const signal of signals) process.on(signal, onSignal);
  try {
    const leftOut: string[] = [];
    const measured = await measure(options, workplace, leftOut);
    publish(options, reportOf(options, leftOut, words, measured));
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) return EXIT_CODES[error.signal] ?? 1;
    if (!(error instanceof BenchError)) throw error;
    say(error.message);
    return 1;
  } finally {
    await workplace.close();
    for (const signal of signals) process.removeListener(signal, onSignal);
  }
}

function measure(options: AnyOptions, workplace: Workplace, leftOut: string[]): Promise<Measured> {
  if (options.mode === 'control') return measureControl({ options, workplace, root: ROOT, say, leftOut });
  const bench = new Bench(options, workplace, ROOT, say, leftOut);
  switch (options.mode) {
    case 'side-by-side':
    case 'full':
      return besideOthers(bench);
    case 'compare':
      return compareRevisions(bench);
    case 'scaling':
      return measureScaling(bench);
  }
}

function reportOf(
  options: AnyOptions,
  leftOut: readonly string[],
  words: readonly string[],
  { tables, versions, data }: Measured,
): Report {
  const revision = outputOf('git', ['rev-parse', '--short', 'HEAD'], ROOT).trim();
  const isChanged = outputOf('git', ['status', '--porcelain', '--untracked-files=no'], ROOT).trim() !== '';
  return {
    mode: options.mode,
    date: new Date().toISOString(),
    command: ['npm run bench', ...(words.length > 0 ? ['--', ...words] : [])].join(' '),
    revision: `${revision}${isChanged ? '+' : ''}`,
    machine: describeMachine(outputOf(options.node, ['--version']).trim()),
    versions,
    leftOut,
    tables,
    data,
  };
}

function publish({ jsonFile, markdownFile }: AnyOptions, report: Report): void {
  // Standard output has only the requested JSON or Markdown.
  const screen = jsonFile === '-' || markdownFile === '-' ? process.stderr : process.stdout;
  screen.write(`\n${reportText(report)}`);
  if (jsonFile !== undefined) write(jsonFile, reportJson(report));
  if (markdownFile !== undefined) write(markdownFile, reportMarkdown(report));
}

function checkNode(node: string): void {
  try {
    accessSync(node, constants.X_OK);
  } catch {
    throw new BenchError(`--node ${node}: there is no program there`);
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
