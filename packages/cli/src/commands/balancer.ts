/** `rollcall balancer`: lists the balancers, shows the settings of one with their origins, and changes them. */
import type { ExplainedLimit } from '@rollcall/feed';
import {
  type BalancerLimits,
  type BalancerPatch,
  type BalancerResource,
  compactDuration,
  copiesCounts,
  durationText,
  isName,
  MAX_LIMIT_PATHS,
  TIME_LIMIT_KEYS,
  TIME_LIMITS,
} from '@rollcall/protocol';
import { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { counted, table } from '../format.ts';
import { balancersOf } from '../lists.ts';
import { isPathKey, timeLimitText } from '../settings/time-limits.ts';
import { joined, lifetimeText, SETTINGS, settingPatch, unsettingPatch } from '../settings/vocabulary.ts';
import { addWaitFlags, printInForce, type WaitFlags } from './in-force.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';
import { reasonOf, waitTimeoutMs } from './verb-flags.ts';

interface BalancerFlags extends ReaderFlags, WaitFlags {
  readonly reason?: string;
  readonly dryRun?: boolean;
}

const HELP = `
Settings:
${Object.entries(SETTINGS)
  .map(([key, { help }]) => `  ${key.padEnd(24)} ${help}`)
  .join('\n')}

PATH:LIMIT sets a time limit for requests to PATH and paths below it, for at most ${MAX_LIMIT_PATHS} paths of a balancer.
unset PATH removes all limits of a path. A limit that is not set for the path is that of the balancer, and then that
of the proxy (up --limit), which the table shows as FROM proxy; - if no worker is connected. Durations are from 1ms to 24h.

Settings of this command survive restarts and override flags, environment, rollcall.json and hints of nodes.

  rollcall balancer shop
  rollcall balancer shop set sticky=suffix cookies=JSESSIONID failover=none --reason "as in Apache"
  rollcall balancer shop set upstream-timeout=2m /export:upstream-timeout=10m /files:upstream-idle=none
  rollcall balancer shop unset failover /export
`;

export function balancerCommand(): Command {
  const command = new Command('balancer').description('list the balancers, or show and change the settings of one');
  return addWaitFlags(addReaderFlags(command))
    .usage('[options] [NAME] [set KEY=VALUE… | unset KEY…]')
    .argument('[name]', 'name of the balancer')
    .argument('[verb]', 'set or unset')
    .argument('[settings...]', 'KEY=VALUE for set, KEY for unset')
    .option('--reason <text>', 'reason for the audit log')
    .option('--dry-run', 'print the effect and change nothing')
    .addHelpText('after', HELP)
    .action(
      async (name: string | undefined, verb: string | undefined, texts: readonly string[], flags: BalancerFlags) => {
        waitTimeoutMs(flags);
        if (name === undefined) return list(flags);
        if (!isName(name)) throw usage(`${JSON.stringify(name)} is not a name`);
        return verb === undefined ? show(name, flags) : change(name, patchOf(verb, texts), flags);
      },
    );
}

async function list(flags: BalancerFlags): Promise<void> {
  const balancers = await balancersOf(await clientFor(flags));
  if (flags.json) printJson({ balancers });
  else if (balancers.length === 0)
    process.stdout.write('no balancers: a balancer is created when its first node registers\n');
  else process.stdout.write(`${table(HEADINGS, balancers.map(row))}\n`);
}

const HEADINGS = ['BALANCER', 'STICKY', 'FAILOVER', 'ALGORITHM', 'NODES', 'UP', 'SESSIONS', 'IN-FLIGHT', 'CONTEXTS'];

function row(balancer: BalancerResource): (string | number)[] {
  const { name, sticky, sessionAlgorithm, nodes, nodesUp, sessions, inFlight, contexts } = balancer;
  const places = contexts.map(({ host, path }) => (host === '*' ? path : `${host}${path}`));
  return [name, sticky.mode, sticky.failover, sessionAlgorithm, nodes, nodesUp, sessions, inFlight, places.join(' ')];
}

async function show(name: string, flags: BalancerFlags): Promise<void> {
  const client = await clientFor(flags);
  const balancer = await client.call('getBalancer', { path: { name } });
  if (flags.json) printJson(balancer);
  else
    process.stdout.write(`${copiesTable(balancer)}${settingsTable(balancer, await proxyLimits(client, balancer))}\n`);
}

/** Limits of the proxy that apply to the balancer. Only a worker knows them; empty without one, and without a context. */
async function proxyLimits(client: AdminClient, { contexts }: BalancerResource): Promise<readonly ExplainedLimit[]> {
  const [context] = contexts;
  if (context === undefined) return [];
  const host = context.host === '*' ? 'localhost' : context.host.replace('*', 'any');
  try {
    const { limits = [] } = await client.call('explainRequest', { body: { host, target: context.path } });
    return limits.filter(({ from }) => from === 'proxy');
  } catch {
    return [];
  }
}

/** What the wrappers keep, and a row for each failing copy; empty without a wrapper. */
export function copiesTable({ copies }: Pick<BalancerResource, 'copies'>): string {
  if (copies === undefined) return '';
  const { wanted, kept, wrappers, failing } = copies;
  const summary = `${counted(wanted, 'node')} wanted, ${counted(wrappers, 'wrapper')} keeping ${kept}: ${copiesCounts(copies)}`;
  const rows = failing.map(({ copy, host = '-', attempts, retryMs, cause }) => [
    copy,
    host,
    attempts,
    retryMs === undefined ? 'now' : compactDuration(retryMs),
    cause,
  ]);
  const listed = rows.length === 0 ? '' : `${table(['COPY', 'HOST', 'FAILED', 'NEXT', 'CAUSE'], rows)}\n`;
  return `${summary}\n${listed}\n`;
}

async function change(name: string, patch: BalancerPatch, flags: BalancerFlags): Promise<void> {
  const body: BalancerPatch = {
    ...patch,
    ...reasonOf(flags.reason),
    ...(flags.dryRun ? { dryRun: true } : {}),
  };
  const client = await clientFor(flags);
  const result = await client.call('patchBalancer', { path: { name }, body });
  const limits = flags.json ? [] : await proxyLimits(client, result.balancer);
  await printInForce(client, result, flags, `${result.message}\n${settingsTable(result.balancer, limits)}\n`);
}

function patchOf(verb: string, texts: readonly string[]): BalancerPatch {
  if (verb !== 'set' && verb !== 'unset') throw usage(`${JSON.stringify(verb)} is neither set nor unset`);
  if (texts.length === 0) throw usage(verb === 'set' ? 'set what? write KEY=VALUE' : 'unset what? write KEY');
  return joined(
    texts.map((text) => {
      if (verb === 'unset') return unsettingPatch(text);
      // A path may contain =, a duration does not.
      const equals = isPathKey(text) ? text.lastIndexOf('=') : text.indexOf('=');
      if (equals < 1) throw usage(`${JSON.stringify(text)}: write KEY=VALUE`);
      return settingPatch(text.slice(0, equals), [text.slice(equals + 1)], text.slice(0, equals));
    }),
  );
}

/** Each setting, its value and its origin. `inherited`: limits of the proxy, which apply where the balancer sets none. */
export function settingsTable(balancer: BalancerResource, inherited: readonly ExplainedLimit[] = []): string {
  const { algorithm, sessionAlgorithm, retries, sessionIdleMs, minEligible, assign, sticky, limits = {} } = balancer;
  const { origins } = balancer;
  const { routeCookie } = sticky;
  const rows: readonly (readonly [string, string, string])[] = [
    ['algorithm', algorithm, 'algorithm'],
    ['session-algorithm', sessionAlgorithm, 'sessionAlgorithm'],
    ['retries', String(retries), 'retries'],
    ['session-idle', durationText(sessionIdleMs), 'sessionIdleMs'],
    ['min-eligible', String(minEligible), 'minEligible'],
    ['assign', assign ? 'on' : 'off', 'assign'],
    ['sticky', sticky.mode, 'sticky.mode'],
    ['cookies', sticky.cookies.join(','), 'sticky.cookies'],
    ['parameters', sticky.parameters.join(','), 'sticky.parameters'],
    ['failover', sticky.failover, 'sticky.failover'],
    ['remove', String(sticky.remove), 'sticky.remove'],
    ['movable', String(sticky.movable), 'sticky.movable'],
    ['route-cookie-name', routeCookie.name, 'sticky.routeCookie.name'],
    ['route-cookie-same-site', routeCookie.sameSite, 'sticky.routeCookie.sameSite'],
    ['route-cookie-secure', routeCookie.secure, 'sticky.routeCookie.secure'],
    ['route-cookie-partitioned', String(routeCookie.partitioned), 'sticky.routeCookie.partitioned'],
    ['route-cookie-domain', routeCookie.domain, 'sticky.routeCookie.domain'],
    ['route-cookie-path', routeCookie.path, 'sticky.routeCookie.path'],
    ['route-cookie-lifetime', lifetimeText(routeCookie.lifetime), 'sticky.routeCookie.lifetime'],
    ...limitRows(limits, inherited),
  ];
  return table(
    ['SETTING', 'VALUE', 'FROM'],
    rows.map(([key, value, origin]) => [key, value, origins[origin] ?? 'proxy']),
  );
}

/** The limits of the balancer, then those of paths. A limit that is not set is that of the proxy, `-` if that is unknown. */
function limitRows(
  { paths = {}, ...own }: BalancerLimits,
  inherited: readonly ExplainedLimit[],
): (readonly [string, string, string])[] {
  const rows: (readonly [string, string, string])[] = TIME_LIMIT_KEYS.map((key) => {
    const limit = own[key] ?? inherited.find((each) => each.key === key)?.value;
    return [TIME_LIMITS[key].name, limit === undefined ? '-' : timeLimitText(limit), `limits.${key}`];
  });
  for (const [path, limits] of Object.entries(paths))
    for (const key of TIME_LIMIT_KEYS) {
      const limit = limits[key];
      if (limit !== undefined)
        rows.push([`${path}:${TIME_LIMITS[key].name}`, timeLimitText(limit), `limits.${path}.${key}`]);
    }
  return rows;
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
