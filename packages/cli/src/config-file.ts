/** `rollcall.json`: the options of `up` under their long names in camelCase, and `balancers`. Weaker than flags and environment. */
import { readFileSync } from 'node:fs';
import { isObject } from '@rollcall/protocol';
import type { Command } from 'commander';
import { CliFailure, EXIT } from './exit.ts';
import { nearest } from './nearest.ts';

const DEFAULT_FILE = 'rollcall.json';

/** The settings file of a command. */
export interface ConfigFile {
  readonly path: string;
  /** Settings by balancer, unread. */
  readonly balancers: unknown;
}

/** Gives `command` the values of its settings file for options that nothing stronger has set. */
export function applyConfigFile(command: Command): ConfigFile {
  const named: unknown = command.getOptionValue('config');
  const path = typeof named === 'string' ? named : DEFAULT_FILE;
  const settings = readSettings(path, typeof named === 'string');
  const options = command.options.filter((option) => option.long !== '--config' && option.long !== '--json');
  for (const [key, value] of Object.entries(settings)) {
    if (key === 'balancers') continue;
    const option = options.find((candidate) => candidate.attributeName() === key);
    if (!option)
      throw new CliFailure(
        `${path}: unknown key ${JSON.stringify(key)}${nearest(key, [...options.map((known) => known.attributeName()), 'balancers'])}`,
        EXIT.usage,
      );
    const isList = Array.isArray(value) && value.every((item) => typeof item === 'string');
    const isText = typeof value === 'string' || typeof value === 'number';
    const isFlag = !option.required && !option.optional;
    if (isFlag ? typeof value !== 'boolean' : option.variadic ? !isList : !isText)
      throw new CliFailure(
        `${path}: ${key} is not ${isFlag ? 'true or false' : option.variadic ? 'a list of texts' : 'text'}`,
        EXIT.usage,
      );
    const source = command.getOptionValueSource(key);
    if (source === undefined || source === 'default')
      command.setOptionValueWithSource(key, option.variadic || isFlag ? value : String(value), 'config');
  }
  return { path, balancers: settings['balancers'] };
}

function readSettings(path: string, isNamed: boolean): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (!isNamed && (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new CliFailure(`cannot read ${path}: ${(error as Error).message}`, EXIT.usage);
  }
  try {
    // Editors on Windows begin a file with a byte order mark, which JSON.parse refuses.
    const parsed: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    if (isObject(parsed)) return parsed;
  } catch (error) {
    throw new CliFailure(`${path} is not JSON: ${(error as Error).message}`, EXIT.usage);
  }
  throw new CliFailure(`${path} is not a JSON object`, EXIT.usage);
}
