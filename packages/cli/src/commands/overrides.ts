/** `rollcall weight` and `redirect`: an operator's overrides of one node. They survive restarts of the node and of the coordinator. */
import type { NodePatch } from '@rollcall/protocol';
import { isName } from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { weightFrom } from '../run/node-flags.ts';
import { nodesWhere, WHERE_HELP, whereOf } from '../where.ts';
import { addWaitFlags, printInForce, type WaitFlags } from './in-force.ts';
import { addReaderFlags, clientFor, type ReaderFlags } from './reader-flags.ts';
import { reasonOf, waitTimeoutMs } from './verb-flags.ts';

interface OverrideFlags extends ReaderFlags, WaitFlags {
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly off?: boolean;
  readonly where?: string;
}

/** `rollcall weight NODE N`: sets the multiplier of the node's share of requests and new sessions. */
export function weightCommand(): Command {
  return overrideCommand('weight', "set the multiplier of a node's share of requests and new sessions")
    .argument('[node]', 'id of the node; without it --where selects nodes')
    .argument('[weight]', 'multiplier, 0.001 to 100; 1 is the fair share')
    .option('--off', 'restore the weight that the node registered')
    .option('--where <selector>', WHERE_HELP)
    .action(async (first: string | undefined, second: string | undefined, flags: OverrideFlags) => {
      if (flags.where !== undefined) return weighSelected(flags.where, [first, second], flags);
      const [node, text] = [first ?? 'NODE', second];
      if (first === undefined) throw usage('write rollcall weight NODE N, or rollcall weight N --where KEY=VALUE');
      if ((text === undefined) !== (flags.off === true))
        throw usage(`write rollcall weight ${node} N with a number from 0.001 to 100, or --off`);
      await override(node, { weight: text === undefined ? null : weightFrom('weight', text) }, flags);
    });
}

/** `rollcall weight N --where …`: each node that matches, one after the other. */
async function weighSelected(
  selector: string,
  [text, surplus]: readonly (string | undefined)[],
  flags: OverrideFlags,
): Promise<void> {
  const where = whereOf(selector);
  if (surplus !== undefined || (text === undefined) !== (flags.off === true))
    throw usage('write rollcall weight N --where KEY=VALUE with a number from 0.001 to 100, or --off');
  const weight = text === undefined ? null : weightFrom('weight', text);
  const nodes = await nodesWhere(await clientFor(flags), where);
  for (const { id } of nodes) await override(id, { weight }, flags);
}

/** `rollcall redirect NODE TO`: sends the sessions of a node to another node of its balancer. */
export function redirectCommand(): Command {
  return overrideCommand('redirect', "send a node's sessions to another node of its balancer")
    .argument('<node>', 'id of the node')
    .argument('[to]', 'id of the node that gets the sessions')
    .option('--off', 'end the redirect: the node gets its sessions again')
    .action(async (node: string, to: string | undefined, flags: OverrideFlags) => {
      if (flags.off ? to !== undefined : to === undefined || !isName(to))
        throw usage(`write rollcall redirect ${node} TO with the id of a node, or --off`);
      await override(node, { redirectTo: flags.off ? null : to! }, flags);
    });
}

function overrideCommand(name: string, description: string): Command {
  return addWaitFlags(addReaderFlags(new Command(name).description(description)))
    .option('--reason <text>', 'reason for the audit log')
    .option('--dry-run', 'print the effect and change nothing');
}

async function override(node: string, patch: NodePatch, flags: OverrideFlags): Promise<void> {
  if (!isName(node)) throw usage(`${JSON.stringify(node)} is not a name`);
  waitTimeoutMs(flags);
  const body: NodePatch = {
    ...patch,
    ...reasonOf(flags.reason),
    ...(flags.dryRun ? { dryRun: true } : {}),
  };
  const client = await clientFor(flags);
  const result = await client.call('patchNode', { path: { id: node }, body });
  await printInForce(client, result, flags);
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
