/** The built-in scenarios, one file each. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Scenario } from './scenario.ts';
import { parseScenario, ScenarioProblem } from './scenario-file.ts';

/** The same relative path from `src` and from `dist`. */
const FOLDER = new URL('../scenarios/', import.meta.url);

/** Names of the built-in scenarios, sorted. */
export function builtInNames(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/** The built-in scenario with this name; `undefined` if absent. */
export function builtInScenario(name: string): Scenario | undefined {
  if (!builtInNames().includes(name)) return undefined;
  const scenario = readScenarioFile(fileURLToPath(new URL(`${name}.json`, FOLDER)));
  if (scenario instanceof ScenarioProblem) throw new Error(`${name}.json: ${scenario.message}`);
  return scenario;
}

/** Reads the scenario in a file. Returns a `ScenarioProblem` if the file is unreadable, not JSON, or not a scenario. */
export function readScenarioFile(path: string): Scenario | ScenarioProblem {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return new ScenarioProblem(`cannot be read (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return new ScenarioProblem(`is not valid JSON: ${(error as Error).message}`);
  }
  return parseScenario(value);
}
