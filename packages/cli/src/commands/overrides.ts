/** `rollcall weight` and `redirect`: an operator's overrides of one node. They outlive its restarts, and ours. */
import type { NodePatch, WriteResult } from '@rollcall/protocol';
import { isName } from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { weightFrom } from '../run/node-flags.ts';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';
import { reasonOf } from './verb-flags.ts';

interface OverrideFlags extends ReaderFlags {
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly off?: boolean;
}

/** `rollcall weight NODE N`: multiplies its share of requests and new sessions. */
export function weightCommand(): Command {
  return overrideCommand('weight', "multiply a node's share of requests and new sessions")
    .argument('[weight]', '0.001 to 100; 1 is its fair share')
    .option('--off', 'what the node itself has registered counts again')
    .action(async (node: string, text: string | undefined, flags: OverrideFlags) => {
      if ((text === undefined) !== (flags.off === true))
        throw usage(`write rollcall weight ${node} N with a number from 0.001 to 100, or --off`);
      await override(node, { weight: text === undefined ? null : weightFrom('weight', text) }, flags);
    });
}

/** `rollcall redirect NODE TO`: its sessions go to another node of its balancer from now on. */
export function redirectCommand(): Command {
  return overrideCommand('redirect', "send a node's sessions to another node of its balancer")
    .argument('[to]', 'id of the node that takes them')
    .option('--off', 'its sessions come back to it')
    .action(async (node: string, to: string | undefined, flags: OverrideFlags) => {
      if (flags.off ? to !== undefined : to === undefined || !isName(to))
        throw usage(`write rollcall redirect ${node} TO with the id of a node, or --off`);
      await override(node, { redirectTo: flags.off ? null : to! }, flags);
    });
}

function overrideCommand(name: string, description: string): Command {
  return addReaderFlags(new Command(name).description(description).argument('<node>', 'id of the node'))
    .option('--reason <text>', 'for the audit')
    .option('--dry-run', 'say what would happen and do nothing');
}

async function override(node: string, patch: NodePatch, flags: OverrideFlags): Promise<void> {
  if (!isName(node)) throw usage(`${JSON.stringify(node)} is not a name`);
  const body: NodePatch = {
    ...patch,
    ...reasonOf(flags.reason),
    ...(flags.dryRun ? { dryRun: true } : {}),
  };
  const result = await (await clientFor(flags)).send<WriteResult>('PATCH', `/v1/nodes/${node}`, body);
  printNote(result);
  if (flags.json) printJson(result);
  else process.stdout.write(`${result.message}\n`);
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
