/** `rollcall.json`: the options of `up` under their long names in camelCase, and `balancers`. Flags and environment override it. */
import { readFileSync } from 'node:fs';
import { isObject } from '@rollcall/protocol';
import type { Command } from 'commander';
import { CliFailure, EXIT } from './exit.ts';
import { jsonFault } from './json-fault.ts';
import { nearest } from './nearest.ts';

const DEFAULT_FILE = 'rollcall.json';

/** The settings file of a command. */
export interface ConfigFile {
  readonly path: string;
  /** Settings by balancer, not parsed yet. */
  readonly balancers: unknown;
}

/** Sets options of `command` from its settings file, unless flags or environment have set them. */
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
    const isSwitch = isFlag || option.optional;
    const isSwitched = typeof value === 'boolean' || (!isFlag && typeof value === 'string');
    if (isSwitch ? !isSwitched : option.variadic ? !isList : !isText)
      throw new CliFailure(
        `${path}: ${key} is not ${isSwitch ? 'true or false' : option.variadic ? 'a list of texts' : 'text'}`,
        EXIT.usage,
      );
    const source = command.getOptionValueSource(key);
    if (source === undefined || source === 'default')
      command.setOptionValueWithSource(key, option.variadic || isSwitch ? value : String(value), 'config');
  }
  return { path, balancers: settings['balancers'] };
}

function readSettings(path: string, isNamed: boolean): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (!isNamed && (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new CliFailure(`cannot read ${path}: ${reasonOf(error as Error)}`, EXIT.usage);
  }
  // Windows editors write a byte order mark at the start of a file, which JSON.parse refuses.
  text = text.replace(/^\uFEFF/, '');
  try {
    const parsed: unknown = JSON.parse(text);
    if (isObject(parsed)) return parsed;
  } catch {
    throw new CliFailure(`${path} is not JSON: ${jsonFault(text)}`, EXIT.usage);
  }
  throw new CliFailure(`${path} is not a JSON object`, EXIT.usage);
}

/** `no such file or directory` of `ENOENT: no such file or directory, open '…'`: the path is in the sentence already. */
function reasonOf({ message }: Error): string {
  return message.replace(/^E[A-Z]+: /, '').split(',', 1)[0] ?? message;
}
