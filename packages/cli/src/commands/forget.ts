/** `rollcall forget`: removes contexts without nodes, which the proxy answers with 503. */
import type { ForgetBody } from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { addWaitFlags, printInForce, type WaitFlags } from './in-force.ts';
import { addReaderFlags, clientFor, type ReaderFlags } from './reader-flags.ts';
import { reasonOf, waitTimeoutMs } from './verb-flags.ts';

const HELP = `
When the last node of a context is gone, the proxy answers 503 for this context for ten minutes, not by a shorter context.
rollcall status lists contexts without nodes. The command ends no session and changes no node, so it does not ask.

  rollcall forget /login
  rollcall forget /login --host shop.example
  rollcall forget --all
`;

interface ForgetFlags extends ReaderFlags, WaitFlags {
  readonly host?: string;
  readonly all?: boolean;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

export function forgetCommand(): Command {
  return addWaitFlags(
    addReaderFlags(new Command('forget').description('remove contexts that have lost their last node')),
  )
    .argument('[context]', 'path prefix, like /login')
    .option('--host <name>', 'host name of the context (default: every host)')
    .option('--all', 'all contexts without nodes')
    .option('--reason <text>', 'reason for the audit log')
    .option('--dry-run', 'print the effect and change nothing')
    .addHelpText('after', HELP)
    .action(async (path: string | undefined, flags: ForgetFlags) => {
      if ((path === undefined) !== (flags.all === true))
        throw new CliFailure('write rollcall forget CONTEXT with a path like /login, or --all', EXIT.usage);
      waitTimeoutMs(flags);
      const body: ForgetBody = {
        ...(path === undefined ? {} : { path }),
        ...(flags.host === undefined ? {} : { host: flags.host }),
        ...reasonOf(flags.reason),
        ...(flags.dryRun ? { dryRun: true } : {}),
      };
      const client = await clientFor(flags);
      const result = await client.call('forgetContexts', { body });
      await printInForce(client, result, flags);
    });
}
