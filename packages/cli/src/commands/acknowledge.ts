/** `rollcall acknowledge`: an operator knows that nodes are missing. */
import { isName } from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';
import { reasonOf } from './verb-flags.ts';

const HELP = `
A node that is gone without leave, as after a crash, is listed as missing and is a problem in rollcall status. It is neither any more when it
returns. Acknowledged, it is no problem, and is forgotten 24 hours after the loss. rollcall remove NODE forgets it at once.

  rollcall acknowledge shop-2 --reason "machine replaced, ticket 4711"
  rollcall acknowledge --balancer shop
`;

interface AcknowledgeFlags extends ReaderFlags {
  readonly balancer?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

export function acknowledgeCommand(): Command {
  return addReaderFlags(
    new Command('acknowledge').description('take missing nodes as known').argument('[node]', 'id of the node'),
  )
    .option('--balancer <name>', 'all missing nodes of a balancer')
    .option('--reason <text>', 'reason for the audit log')
    .option('--dry-run', 'print the effect and change nothing')
    .addHelpText('after', HELP)
    .action(async (node: string | undefined, flags: AcknowledgeFlags) => {
      const name = node ?? flags.balancer;
      if (name === undefined || (node !== undefined && flags.balancer !== undefined))
        throw new CliFailure('acknowledge needs one of: a node id, --balancer NAME', EXIT.usage);
      if (!isName(name)) throw new CliFailure(`${JSON.stringify(name)} is not a name`, EXIT.usage);
      const body = { ...reasonOf(flags.reason), ...(flags.dryRun ? { dryRun: true } : {}) };
      const client = await clientFor(flags);
      const result =
        node === undefined
          ? await client.call('acknowledgeBalancer', { path: { name }, body })
          : await client.call('acknowledgeNode', { path: { id: node }, body });
      printNote(result);
      if (flags.json) printJson(result);
      else process.stdout.write(`${result.message}\n`);
    });
}
