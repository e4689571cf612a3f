/** The scenarios that come with the product, one file each. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Scenario } from './scenario.ts';
import { parseScenario, ScenarioProblem } from './scenario-file.ts';

/** Beside the sources and beside what is made of them. */
const FOLDER = new URL('../scenarios/', import.meta.url);

/** Sorted. */
export function builtInNames(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/** `undefined` when there is none of that name. */
export function builtInScenario(name: string): Scenario | undefined {
  if (!builtInNames().includes(name)) return undefined;
  const scenario = readScenarioFile(fileURLToPath(new URL(`${name}.json`, FOLDER)));
  if (scenario instanceof ScenarioProblem) throw new Error(`${name}.json: ${scenario.message}`);
  return scenario;
}

/** The scenario of a file, or what is wrong with it: unreadable, no JSON, or no scenario. */
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
    return new ScenarioProblem(`is no JSON: ${(error as Error).message}`);
  }
  return parseScenario(value);
}
