/** Flags that describe a node, shared by `run` and `join`. */
import type { NodeDescription } from '@rollcall/agent';
import {
  isName,
  MAX_CONTEXTS,
  MAX_HOSTS,
  optional,
  parseContextPath,
  parseHostPattern,
  type StickyHint,
} from '@rollcall/protocol';
import { type Command, Option } from 'commander';
import { addClientTlsFlags, type ClientTlsFlags } from '../coordinator-tls.ts';
import { type DurationBounds, durationFrom } from '../duration.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { joined, settingPatch } from '../settings/vocabulary.ts';

/** Flags with hints for the balancer of a node. */
export interface HintFlags {
  readonly sessionCookie?: readonly string[];
  readonly sessionParameter?: readonly string[];
  readonly sticky?: string;
  readonly failover?: string;
  readonly stickysession?: string;
  readonly nofailover?: boolean;
}

/** Flags as parsed by commander; all values are text. */
export interface NodeFlags extends HintFlags, ClientTlsFlags {
  readonly balancer?: string;
  readonly id?: string;
  readonly route?: string;
  readonly host?: readonly string[];
  readonly context?: readonly string[];
  readonly stripPrefix?: boolean;
  readonly group?: string;
  readonly weight?: string;
  readonly coordinator?: readonly string[];
  readonly publicUrl?: string;
  readonly drainSessions?: string;
  readonly ready?: string;
  readonly readyLate?: string;
  readonly readyInterval?: string;
}

/** An option that may also come from the environment: `--ready-timeout` from `ROLLCALL_READY_TIMEOUT`. Flags win. */
export function nodeOption(flags: string, description: string, variable?: string): Option {
  const option = new Option(flags, description);
  return option.env(variable ?? `ROLLCALL_${option.name().replaceAll('-', '_').toUpperCase()}`);
}

/** Hints of a node for the settings of its balancer. The hint of the first node is used, unless an operator has set them. */
export function hintOptions(): Option[] {
  return [
    nodeOption('--sticky <mode>', 'form of the session id: insert, suffix, rewrite, none (default: insert)'),
    nodeOption('--session-cookie <name>', 'cookie that carries the session id; repeatable').argParser(collect),
    nodeOption(
      '--session-parameter <name>',
      'path or query parameter that carries the session id; repeatable',
    ).argParser(collect),
    nodeOption('--failover <where>', 'failover of sessions whose node is gone: any, group, none, eager (default: any)'),
    nodeOption(
      '--stickysession <names>',
      'Apache spelling of cookie and parameter: COOKIE|PARAMETER; sets --sticky suffix',
    ),
    new Option('--nofailover', 'Apache spelling of --failover none'),
  ];
}

/** Shared by `run`, `join` and `add`. A variable could not switch it off, so it has none. */
export function stripPrefixOption(): Option {
  return new Option(
    '--strip-prefix',
    'take the --context off the path of requests; put it back on redirects and cookies',
  );
}

/** Shared by `run`, `join` and `add`. */
export const READY_HELP = 'path that answers below 500 while the program wants new work';

export function addNodeFlags(command: Command): Command {
  const options = [
    nodeOption('--balancer <name>', 'set of nodes that serve the same application (default: default)'),
    nodeOption(
      '--id <name>',
      'id of the node; of two nodes with one id the later start replaces the other (default: by host name, directory and slot)',
      'ROLLCALL_NODE_ID',
    ),
    nodeOption('--route <name>', 'route of the node in session ids (default: the id)'),
    nodeOption('--host <host>', 'host name that the node serves, *.suffix or * (default: *); repeatable').argParser(
      collect,
    ),
    nodeOption('--context <path>', 'path prefix that the node serves (default: /); repeatable').argParser(collect),
    stripPrefixOption(),
    nodeOption('--group <name>', 'failure domain of the node'),
    nodeOption('--weight <number>', 'multiplier of its share of requests, 0.001 to 100 (default: 1)'),
    ...hintOptions(),
    nodeOption('--public-url <url>', 'address for clients that connect directly (assign)'),
    nodeOption('--ready <path>', READY_HELP),
    nodeOption('--ready-late <duration>', 'answers of --ready after more than this count as load 1 (default: 2s)'),
    nodeOption(
      '--ready-interval <duration>',
      'interval of requests for --ready, longer after late answers (default: 1s)',
    ),
    nodeOption('--drain-sessions <duration>', 'time for sessions to end before the program ends (default: 0s)'),
  ];
  for (const option of options) command.addOption(option);
  const coordinator =
    'address of a coordinator, with a connection to each of up to five; a path is a prefix (default: ROLLCALL_URL); repeatable';
  return addClientTlsFlags(command.option('--coordinator <url>', coordinator, collect));
}

/** Values of a repeatable option. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** A usage failure: one line, exit 2. */
export function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}

/** The given flags as a description of the node. Throws `CliFailure` for values that the coordinator would refuse. */
export function describedBy(flags: NodeFlags): NodeDescription {
  const sticky = stickyHint(flags);
  return {
    ...optional('balancer', nameOf('--balancer', flags.balancer)),
    ...optional('group', nameOf('--group', flags.group)),
    ...optional('hosts', listOf('--host', flags.host, parseHostPattern, 'a host name, *.suffix or *')),
    ...optional('contexts', listOf('--context', flags.context, parseContextPath, 'a path like /app', MAX_CONTEXTS)),
    ...optional('stripPrefix', stripPrefixOf(flags)),
    ...optional('weight', flags.weight === undefined ? undefined : weightFrom('--weight', flags.weight)),
    ...optional('sticky', sticky),
    ...optional('publicUrl', flags.publicUrl),
  };
}

/** True if it is given. Throws `CliFailure` if there is no prefix to take off. */
function stripPrefixOf({ stripPrefix, context = [] }: NodeFlags): true | undefined {
  if (!stripPrefix) return undefined;
  if (context.some((path) => path !== '/')) return true;
  throw usage('--strip-prefix has no prefix to take off: add --context with a path like /shop');
}

export function nameOf(flag: string, text: string | undefined): string | undefined {
  if (text === undefined || isName(text)) return text;
  throw usage(`${flag} ${JSON.stringify(text)}: names match [A-Za-z0-9_-]{1,64}`);
}

/** Milliseconds of a duration flag. */
export function durationOf(
  flag: string,
  text: string | undefined,
  defaultMs: number,
  bounds: DurationBounds = {},
): number {
  return text === undefined ? defaultMs : durationFrom(flag, text, bounds);
}

/** A whole number of a flag within bounds; `undefined` if it is not set. */
export function wholeOf(flag: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw usage(`${flag} ${JSON.stringify(text)}: write a whole number from ${min} to ${max}`);
}

/** The path of a flag, with at most `maxLength` characters; `undefined` if it is not set. */
export function readyPathOf(text: string | undefined, maxLength = 1_024): string | undefined {
  if (text === undefined || (/^\/[!-~]*$/.test(text) && text.length <= maxLength)) return text;
  throw usage(`--ready ${JSON.stringify(text)}: write a path that starts with /, at most ${maxLength} characters`);
}

/** Settings of the ready path: only the given flags. */
export interface ReadyFlags {
  readonly readyPath?: string;
  readonly readyLateMs?: number;
  readonly readyIntervalMs?: number;
}

export function readyFlagsOf(flags: NodeFlags): ReadyFlags {
  const { ready, readyLate, readyInterval } = flags;
  return {
    ...optional('readyPath', readyPathOf(ready)),
    ...(readyLate === undefined ? {} : { readyLateMs: durationOf('--ready-late', readyLate, 0) }),
    ...(readyInterval === undefined ? {} : { readyIntervalMs: durationOf('--ready-interval', readyInterval, 0) }),
  };
}

/** The hint from the flags of `hintOptions`; `undefined` if none is set. */
export function stickyHint(flags: HintFlags): StickyHint | undefined {
  const patches = HINTS.flatMap(([flag, key, value]) => {
    const texts = value(flags);
    return texts === undefined ? [] : [settingPatch(key, texts, flag)];
  });
  const { sticky } = joined(patches);
  // Flags only set values; only an operator's patch unsets them, with null.
  return sticky as StickyHint | undefined;
}

const HINTS: readonly (readonly [string, string, (flags: HintFlags) => readonly string[] | undefined])[] = [
  ['--stickysession', 'stickysession', ({ stickysession }) => textOf(stickysession)],
  ['--nofailover', 'nofailover', ({ nofailover }) => (nofailover ? ['on'] : undefined)],
  ['--sticky', 'sticky', ({ sticky }) => textOf(sticky)],
  ['--session-cookie', 'cookies', ({ sessionCookie }) => sessionCookie],
  ['--session-parameter', 'parameters', ({ sessionParameter }) => sessionParameter],
  ['--failover', 'failover', ({ failover }) => textOf(failover)],
];

function textOf(text: string | undefined): readonly string[] | undefined {
  return text === undefined ? undefined : [text];
}

/** A weight in decimal notation. Throws a usage failure that names `label` for anything else. */
export function weightFrom(label: string, text: string): number {
  const weight = /^\d{1,3}(?:\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (weight >= 0.001 && weight <= 100) return weight;
  throw usage(`${label} ${JSON.stringify(text)}: write a number from 0.001 to 100`);
}

function listOf<Item extends string>(
  flag: string,
  texts: readonly string[] | undefined,
  parse: (text: string) => Item | undefined,
  what: string,
  most: number = MAX_HOSTS,
): readonly Item[] | undefined {
  if (texts === undefined) return undefined;
  if (texts.length > most) throw usage(`${flag} is given ${texts.length} times; at most ${most} are possible`);
  return texts.map((text) => {
    const item = parse(text);
    if (item === undefined) throw usage(`${flag} ${JSON.stringify(text)}: write ${what}`);
    return item;
  });
}
