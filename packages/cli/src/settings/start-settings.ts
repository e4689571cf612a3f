/** Settings of balancers that `up` is started with: flags, environment and file, each under its own name as origin. */
import type { BalancerSettingsOption } from '@rollcall/coordinator';
import { isName, isObject, parseBalancerName } from '@rollcall/protocol';
import type { Command } from 'commander';
import { Option } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { nearest } from '../nearest.ts';
import { joined, SETTINGS, settingPatch } from './vocabulary.ts';

/** Flag of `up` → key of the setting. They count for all balancers. */
const FLAGS = [
  ['--algorithm <name>', 'algorithm'],
  ['--session-algorithm <name>', 'session-algorithm'],
  ['--retries <n>', 'retries'],
  ['--session-idle <duration>', 'session-idle'],
  ['--assign', 'assign'],
  // Apache's words before ours: where both are said, ours are the more exact.
  ['--stickysession <names>', 'stickysession'],
  ['--nofailover', 'nofailover'],
  ['--sticky <mode>', 'sticky'],
  ['--session-cookie <name...>', 'cookies'],
  ['--session-parameter <name...>', 'parameters'],
  ['--failover <where>', 'failover'],
  ['--movable', 'movable'],
] as const;

/** What commander calls the places that options come from. */
const ORIGINS: Readonly<Record<string, BalancerSettingsOption['source']>> = {
  cli: 'flag',
  env: 'environment',
  config: 'file',
};

/** In `rollcall.json` under a balancer's name: keys in camelCase, sticky ones under `sticky`. */
const FILE_KEYS: Readonly<Record<string, string>> = {
  algorithm: 'algorithm',
  sessionAlgorithm: 'session-algorithm',
  retries: 'retries',
  sessionIdle: 'session-idle',
  assign: 'assign',
  stickysession: 'stickysession',
  nofailover: 'nofailover',
};
const STICKY_FILE_KEYS: Readonly<Record<string, string>> = {
  mode: 'sticky',
  cookies: 'cookies',
  parameters: 'parameters',
  failover: 'failover',
  remove: 'remove',
  movable: 'movable',
};

/** Options of `up` for settings of all balancers. */
export function settingOptions(): Option[] {
  return FLAGS.map(([flags, key]) => {
    const option = new Option(flags, SETTINGS[key]!.help);
    return option.env(variableOf(option.name()));
  });
}

/** What the options of `command` and the `balancers` of its settings file say. Throws usage failures. */
export function startSettings(command: Command, fileBalancers: unknown, path: string): BalancerSettingsOption[] {
  const settings = balancersOf(fileBalancers, path);
  for (const [flags, key] of FLAGS) {
    const { name: long, attribute } = namesOf(command, flags);
    const source = ORIGINS[command.getOptionValueSource(attribute) ?? ''];
    const value: unknown = command.getOptionValue(attribute);
    if (source === undefined || value === undefined || value === false) continue;
    const texts = Array.isArray(value)
      ? value.map(String)
      : [value === true ? switchText(source, long) : String(value)];
    settings.push({ name: '*', source, patch: settingPatch(key, texts, `--${long}`) });
  }
  return settings;
}

/** A switch that stands alone is on; its variable says on or off, which commander does not read. */
function switchText(source: BalancerSettingsOption['source'], long: string): string {
  return (source === 'environment' ? process.env[variableOf(long)] : undefined) ?? 'on';
}

function variableOf(long: string): string {
  return `ROLLCALL_${long.replaceAll('-', '_').toUpperCase()}`;
}

function namesOf(command: Command, flags: string): { readonly name: string; readonly attribute: string } {
  const option = command.options.find((candidate) => candidate.flags === flags)!;
  return { name: option.name(), attribute: option.attributeName() };
}

/** `balancers` of `rollcall.json`: settings by balancer, `*` for all. */
function balancersOf(balancers: unknown, path: string): BalancerSettingsOption[] {
  if (balancers === undefined) return [];
  if (!isObject(balancers)) throw usage(`${path}: balancers is not an object of settings by balancer`);
  return Object.entries(balancers).map(([name, settings]) => {
    const at = `${path}: balancers.${name}`;
    const balancer = name === '*' ? '*' : isName(name) ? parseBalancerName(name) : undefined;
    if (balancer === undefined) throw usage(`${at}: names match [A-Za-z0-9_-]{1,64}, * is all`);
    if (!isObject(settings)) throw usage(`${at} is not an object of settings`);
    const { sticky, ...plain } = settings;
    if (sticky !== undefined && !isObject(sticky)) throw usage(`${at}.sticky is not an object of settings`);
    const patches = [
      ...patchesOf(plain, FILE_KEYS, at, ['sticky']),
      ...patchesOf((sticky ?? {}) as Record<string, unknown>, STICKY_FILE_KEYS, `${at}.sticky`, []),
    ];
    return { name: balancer, source: 'file' as const, patch: joined(patches) };
  });
}

function patchesOf(
  settings: Readonly<Record<string, unknown>>,
  keys: Readonly<Record<string, string>>,
  at: string,
  others: readonly string[],
): ReturnType<typeof settingPatch>[] {
  return Object.entries(settings).map(([key, value]) => {
    const setting = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (setting === undefined)
      throw usage(`${at}: unknown key ${JSON.stringify(key)}${nearest(key, [...Object.keys(keys), ...others])}`);
    const items: unknown[] = Array.isArray(value) ? value : [value];
    if (!items.every((item) => typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean'))
      throw usage(`${at}.${key} is not text, a number or a list of texts`);
    return settingPatch(setting, items.map(String), `${at}.${key}`);
  });
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
