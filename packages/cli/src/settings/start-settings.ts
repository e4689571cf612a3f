/** Settings of balancers that `up` is started with: flags, environment and file, each with its own name as origin. */
import type { BalancerSettingsOption } from '@rollcall/coordinator';
import { asSettingKey, type SettingWriter, startSettingsMistake } from '@rollcall/core';
import { type BalancerPatch, isName, isObject, parseBalancerName } from '@rollcall/protocol';
import type { Command } from 'commander';
import { Option } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { nearest } from '../nearest.ts';
import { listed } from './listed.ts';
import { inForce, sourcesOf, spelled, variableOf } from './origins.ts';
import { fileLimits, scopedLimit } from './time-limits.ts';
import { joined, SETTINGS, settingPatch } from './vocabulary.ts';

/** Flag of `up` → key of the setting. They apply to all balancers. */
const FLAGS = [
  ['--algorithm <name>', 'algorithm'],
  ['--session-algorithm <name>', 'session-algorithm'],
  ['--retries <n>', 'retries'],
  ['--session-idle <duration>', 'session-idle'],
  ['--min-eligible <n>', 'min-eligible'],
  ['--assign [on|off]', 'assign'],
  // Apache's spelling comes first, so that the settings of Rollcall override it.
  ['--stickysession <names>', 'stickysession'],
  ['--nofailover [on|off]', 'nofailover'],
  ['--sticky <mode>', 'sticky'],
  ['--session-cookie <name...>', 'cookies'],
  ['--session-parameter <name...>', 'parameters'],
  ['--failover <where>', 'failover'],
  ['--movable [bool]', 'movable'],
  ['--route-cookie-name <name>', 'route-cookie-name'],
  ['--route-cookie-same-site <policy>', 'route-cookie-same-site'],
  ['--route-cookie-secure <when>', 'route-cookie-secure'],
  ['--route-cookie-partitioned [bool]', 'route-cookie-partitioned'],
  ['--route-cookie-domain <name>', 'route-cookie-domain'],
  ['--route-cookie-path <path>', 'route-cookie-path'],
  ['--route-cookie-lifetime <lifetime>', 'route-cookie-lifetime'],
] as const;

/** In `rollcall.json` under a balancer's name: keys in camelCase, sticky ones under `sticky`. */
const FILE_KEYS: Readonly<Record<string, string>> = {
  algorithm: 'algorithm',
  sessionAlgorithm: 'session-algorithm',
  retries: 'retries',
  sessionIdle: 'session-idle',
  minEligible: 'min-eligible',
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
const ROUTE_COOKIE_FILE_KEYS: Readonly<Record<string, string>> = {
  name: 'route-cookie-name',
  sameSite: 'route-cookie-same-site',
  secure: 'route-cookie-secure',
  partitioned: 'route-cookie-partitioned',
  domain: 'route-cookie-domain',
  path: 'route-cookie-path',
  lifetime: 'route-cookie-lifetime',
};

/** Options of `up` for settings of all balancers. */
export function settingOptions(): Option[] {
  return FLAGS.map(([flags, key]) => {
    const option = new Option(flags, SETTINGS[key]!.help);
    return option.env(variableOf(option.name()));
  });
}

/** The settings from the options of `command` and the `balancers` of its settings file. Throws usage failures. */
export function startSettings(command: Command, fileBalancers: unknown, path: string): BalancerSettingsOption[] {
  const sourceOf = sourcesOf(command);
  const spellings: Spelling[] = [];
  const settings = balancersOf(fileBalancers, path, spellings);
  for (const [flags, key] of FLAGS) {
    const { name: long, attribute } = namesOf(command, flags);
    const source = sourceOf(attribute);
    const value: unknown = command.getOptionValue(attribute);
    if (source === undefined || value === undefined) continue;
    const texts = Array.isArray(value)
      ? value.map(String)
      : // A switch without a value is on.
        [String(value)];
    const patch = settingPatch(key, texts, `--${long}`);
    settings.push({ name: '*', source, patch });
    if (!isApaches(key)) spellings.push({ name: '*', source, patch, spelling: spelled(source, long, texts.join(',')) });
  }
  for (const limit of limitSettings(command)) {
    const { name, source, patch } = limit;
    settings.push({ name, source, patch });
    spellings.push(limit);
  }
  checkSpellings(spellings);
  const cookies = startSettingsMistake(settings, settingWriter);
  if (cookies !== undefined)
    throw usage(
      `settings of ${cookies.name === '*' ? 'all balancers' : `balancer ${cookies.name}`}: ${cookies.mistake}`,
    );
  return settings;
}

/**
 * How an error message names settings: by flags, variables, or keys of `rollcall.json`, as the setting that it refuses is written. Only
 * some settings have flags.
 */
function settingWriter(balancer: string, origin: string): SettingWriter {
  return (key, value) => {
    const flags = FLAGS.find(([, flagKey]) => flagKey === key)?.[0];
    if (flags === undefined) return asSettingKey(key, value);
    const long = flags.split(' ', 1)[0]!.slice(2);
    if (origin === 'environment') return asSettingKey(variableOf(long), value);
    if (origin === 'file') return asSettingKey(`balancers.${balancer}.${fileKeyOf(key)}`, value);
    return value === undefined ? `--${long}` : `--${long} ${value}`;
  };
}

function fileKeyOf(key: string): string {
  for (const [prefix, keys] of [
    ['', FILE_KEYS],
    ['sticky.', STICKY_FILE_KEYS],
    ['sticky.routeCookie.', ROUTE_COOKIE_FILE_KEYS],
  ] as const)
    for (const [fileKey, settingKey] of Object.entries(keys)) if (settingKey === key) return prefix + fileKey;
  return key;
}

/** A setting as its source spells it. Apache's spelling is none: the settings of Rollcall override it. */
interface Spelling extends BalancerSettingsOption {
  readonly spelling: string;
}

function isApaches(key: string): boolean {
  return key === 'stickysession' || key === 'nofailover';
}

/** Throws a usage failure if two spellings of one setting of one balancer have two values in one source. */
function checkSpellings(spellings: readonly Spelling[]): void {
  inForce(
    spellings.flatMap(({ name, source, patch, spelling }) =>
      leaves(patch).map(([path, value]) => ({
        source,
        key: JSON.stringify([name, path]),
        name: `${path.join('.')} of ${name === '*' ? 'all balancers' : `balancer ${name}`}`,
        spelling,
        value,
      })),
    ),
  );
}

/** The settings of a patch, each with its path. */
function leaves(value: unknown, path: readonly string[] = []): (readonly [path: readonly string[], value: unknown])[] {
  const isLeaf = !isObject(value) || path.at(-1) === 'lifetime';
  return isLeaf ? [[path, value]] : Object.entries(value).flatMap(([key, part]) => leaves(part, [...path, key]));
}

/** Limits of balancers and paths in `--limit`. */
function limitSettings(command: Command): Spelling[] {
  const source = sourcesOf(command)('limit');
  if (source === undefined) return [];
  return listed(command.getOptionValue('limit') ?? []).flatMap((text) => {
    const scoped = scopedLimit(text);
    if (scoped === undefined) return [];
    const name = scoped.balancer === '*' ? '*' : parseBalancerName(scoped.balancer);
    if (name === undefined) throw usage(`--limit ${text}: ${scoped.balancer} is not the name of a balancer`);
    return [{ name, source, patch: scoped.patch, spelling: spelled(source, 'limit', text) }];
  });
}

function namesOf(command: Command, flags: string): { readonly name: string; readonly attribute: string } {
  const option = command.options.find((candidate) => candidate.flags === flags)!;
  return { name: option.name(), attribute: option.attributeName() };
}

/** `balancers` of `rollcall.json`: settings by balancer, `*` for all. */
function balancersOf(balancers: unknown, path: string, spellings: Spelling[]): BalancerSettingsOption[] {
  if (balancers === undefined) return [];
  if (!isObject(balancers)) throw usage(`${path}: balancers is not an object of settings by balancer`);
  return Object.entries(balancers).map(([name, settings]) => {
    const at = `${path}: balancers.${name}`;
    const balancer = name === '*' ? '*' : isName(name) ? parseBalancerName(name) : undefined;
    if (balancer === undefined) throw usage(`${at}: names match [A-Za-z0-9_-]{1,64}, * is all`);
    if (!isObject(settings)) throw usage(`${at} is not an object of settings`);
    const { sticky, limits, ...plain } = settings;
    if (sticky !== undefined && !isObject(sticky))
      throw usage(`${at}.sticky is not an object of settings, like {"mode": "insert"}`);
    const { routeCookie, ...plainSticky } = (sticky ?? {}) as Record<string, unknown>;
    if (routeCookie !== undefined && !isObject(routeCookie))
      throw usage(`${at}.sticky.routeCookie is not an object of settings, like {"sameSite": "Strict"}`);
    const patches = [
      ...patchesOf(plain, FILE_KEYS, at, ['sticky', 'limits']),
      ...patchesOf(plainSticky, STICKY_FILE_KEYS, `${at}.sticky`, ['routeCookie']),
      ...patchesOf(routeCookie ?? {}, ROUTE_COOKIE_FILE_KEYS, `${at}.sticky.routeCookie`, []),
      ...(limits === undefined
        ? []
        : [{ key: 'limits', patch: fileLimits(limits, `${at}.limits`), spelling: `balancers.${name}.limits` }]),
    ];
    const ofFile = { name: balancer, source: 'file' } as const;
    for (const { key, patch, spelling } of patches) if (!isApaches(key)) spellings.push({ ...ofFile, patch, spelling });
    return { ...ofFile, patch: joined(patches.map(({ patch }) => patch)) };
  });
}

function patchesOf(
  settings: Readonly<Record<string, unknown>>,
  keys: Readonly<Record<string, string>>,
  at: string,
  others: readonly string[],
): { readonly key: string; readonly patch: BalancerPatch; readonly spelling: string }[] {
  return Object.entries(settings).map(([key, value]) => {
    const setting = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (setting === undefined)
      throw usage(`${at}: unknown key ${JSON.stringify(key)}${nearest(key, [...Object.keys(keys), ...others])}`);
    const items: unknown[] = Array.isArray(value) ? value : [value];
    if (!items.every((item) => typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean'))
      throw usage(`${at}.${key} is not text, a number or a list of texts`);
    const spelling = at.slice(at.indexOf('balancers.'));
    return { key, patch: settingPatch(setting, items.map(String), `${at}.${key}`), spelling: `${spelling}.${key}` };
  });
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
