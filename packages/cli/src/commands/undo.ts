/** `rollcall undo`: puts back what a change of an operator has replaced. */
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';
import { reasonOf } from './verb-flags.ts';

const HELP = `
Without CHANGE it is the last change of the token that is used. The ids are in "rollcall audit". Status, deadline, duration, weight, standby,
redirect, settings and acknowledgements can be put back for 24 hours, unless the same thing has changed since. A removed node, a scale
and a revoked token cannot.

  rollcall undo --dry-run
  rollcall undo 3bc35cf3865b --reason "wrong node"
`;

interface UndoFlags extends ReaderFlags {
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function undoCommand(): Command {
  return addReaderFlags(
    new Command('undo').description('put back what a change has replaced').argument('[change]', 'id of the change'),
  )
    .option('--reason <text>', 'reason for the audit log')
    .option('--yes', 'also when fewer nodes are left than min-eligible of the balancer')
    .option('--dry-run', 'print the effect and change nothing')
    .addHelpText('after', HELP)
    .action(async (changeId: string | undefined, flags: UndoFlags) => {
      if (changeId !== undefined && !/^[\w-]{1,64}$/.test(changeId))
        throw new CliFailure(`${JSON.stringify(changeId)} is not the id of a change; see rollcall audit`, EXIT.usage);
      const client = await clientFor(flags);
      const result = await client.call('undoChange', {
        body: {
          ...(changeId !== undefined && { changeId }),
          ...reasonOf(flags.reason),
          ...(flags.yes && { force: true }),
          ...(flags.dryRun && { dryRun: true }),
        },
      });
      printNote(result);
      if (flags.json) printJson(result);
      else process.stdout.write(`${result.message}\n`);
    });
}
