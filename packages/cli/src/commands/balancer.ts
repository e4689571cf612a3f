/** `rollcall balancer`: the balancers, the settings of one with their origins, and changes of them. */
import { type BalancerPatch, type BalancerResource, isName } from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { duration, table } from '../format.ts';
import { balancersOf } from '../lists.ts';
import { joined, SETTINGS, settingPatch, unsettingPatch } from '../settings/vocabulary.ts';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';
import { reasonOf } from './verb-flags.ts';

interface BalancerFlags extends ReaderFlags {
  readonly reason?: string;
  readonly dryRun?: boolean;
}

const HELP = `
Settings:
${Object.entries(SETTINGS)
  .map(([key, { help }]) => `  ${key.padEnd(18)} ${help}`)
  .join('\n')}

What is set here outlives restarts and wins over flags, environment, rollcall.json and what nodes hint.

  rollcall balancer shop
  rollcall balancer shop set sticky=suffix cookies=JSESSIONID failover=none --reason "as in Apache"
  rollcall balancer shop unset failover
`;

export function balancerCommand(): Command {
  return addReaderFlags(
    new Command('balancer').description('show the balancers, or show and change the settings of one'),
  )
    .usage('[options] [NAME] [set KEY=VALUE… | unset KEY…]')
    .argument('[name]', 'name of the balancer')
    .argument('[verb]', 'set or unset')
    .argument('[settings...]', 'KEY=VALUE for set, KEY for unset')
    .option('--reason <text>', 'for the audit')
    .option('--dry-run', 'say what would happen and do nothing')
    .addHelpText('after', HELP)
    .action(
      async (name: string | undefined, verb: string | undefined, texts: readonly string[], flags: BalancerFlags) => {
        if (name === undefined) return list(flags);
        if (!isName(name)) throw usage(`${JSON.stringify(name)} is not a name`);
        return verb === undefined ? show(name, flags) : change(name, patchOf(verb, texts), flags);
      },
    );
}

async function list(flags: BalancerFlags): Promise<void> {
  const balancers = await balancersOf(await clientFor(flags));
  if (flags.json) printJson({ balancers });
  else if (balancers.length === 0) process.stdout.write('no balancers: the first node of one makes it\n');
  else process.stdout.write(`${table(HEADINGS, balancers.map(row))}\n`);
}

const HEADINGS = ['BALANCER', 'STICKY', 'FAILOVER', 'ALGORITHM', 'NODES', 'UP', 'SESSIONS', 'IN-FLIGHT', 'CONTEXTS'];

function row(balancer: BalancerResource): (string | number)[] {
  const { name, sticky, sessionAlgorithm, nodes, nodesUp, sessions, inFlight, contexts } = balancer;
  const places = contexts.map(({ host, path }) => (host === '*' ? path : `${host}${path}`));
  return [name, sticky.mode, sticky.failover, sessionAlgorithm, nodes, nodesUp, sessions, inFlight, places.join(' ')];
}

async function show(name: string, flags: BalancerFlags): Promise<void> {
  const balancer = await (await clientFor(flags)).get<BalancerResource>(`/v1/balancers/${name}`);
  if (flags.json) printJson(balancer);
  else process.stdout.write(`${settingsTable(balancer)}\n`);
}

async function change(name: string, patch: BalancerPatch, flags: BalancerFlags): Promise<void> {
  const body: BalancerPatch = {
    ...patch,
    ...reasonOf(flags.reason),
    ...(flags.dryRun ? { dryRun: true } : {}),
  };
  const client = await clientFor(flags);
  const result = await client.send<{ balancer: BalancerResource; message: string; note?: string }>(
    'PATCH',
    `/v1/balancers/${name}`,
    body,
  );
  printNote(result);
  if (flags.json) printJson(result);
  else process.stdout.write(`${result.message}\n${settingsTable(result.balancer)}\n`);
}

function patchOf(verb: string, texts: readonly string[]): BalancerPatch {
  if (verb !== 'set' && verb !== 'unset') throw usage(`${JSON.stringify(verb)} is neither set nor unset`);
  if (texts.length === 0) throw usage(verb === 'set' ? 'set what? write KEY=VALUE' : 'unset what? write KEY');
  return joined(
    texts.map((text) => {
      if (verb === 'unset') return unsettingPatch(text);
      const equals = text.indexOf('=');
      if (equals < 1) throw usage(`${JSON.stringify(text)}: write KEY=VALUE`);
      return settingPatch(text.slice(0, equals), [text.slice(equals + 1)], text.slice(0, equals));
    }),
  );
}

/** Each setting, its value and where it comes from. */
export function settingsTable({
  algorithm,
  sessionAlgorithm,
  retries,
  sessionIdleMs,
  assign,
  sticky,
  origins,
}: BalancerResource): string {
  const rows: readonly (readonly [string, string, string])[] = [
    ['algorithm', algorithm, 'algorithm'],
    ['session-algorithm', sessionAlgorithm, 'sessionAlgorithm'],
    ['retries', String(retries), 'retries'],
    ['session-idle', duration(sessionIdleMs), 'sessionIdleMs'],
    ['assign', assign ? 'on' : 'off', 'assign'],
    ['sticky', sticky.mode, 'sticky.mode'],
    ['cookies', sticky.cookies.join(','), 'sticky.cookies'],
    ['parameters', sticky.parameters.join(','), 'sticky.parameters'],
    ['failover', sticky.failover, 'sticky.failover'],
    ['remove', String(sticky.remove), 'sticky.remove'],
    ['movable', String(sticky.movable), 'sticky.movable'],
  ];
  return table(
    ['SETTING', 'VALUE', 'FROM'],
    rows.map(([key, value, origin]) => [key, value, origins[origin] ?? '']),
  );
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
