/** `rollcall reload`: a running `rollcall up` reads its settings again. */
import type { ReloadResult } from '@rollcall/protocol';
import { Command } from 'commander';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';

/** New workers may take half a minute to start. */
const TIMEOUT_MS = 40_000;

const HELP = `
Settings file, certificates, error pages and the program itself are read again. New workers take over the ports; the old
ones finish their requests and upgraded connections within --grace of rollcall up. Nothing changes when a setting is bad.
The same happens on SIGHUP. Where rollcall listens, --store, --workers and --static need a new start.

  rollcall reload
`;

export function reloadCommand(): Command {
  return addReaderFlags(new Command('reload').description('have a running rollcall up read its settings again'))
    .addHelpText('after', HELP)
    .action(async (flags: ReaderFlags) => {
      const client = await clientFor(flags);
      const result = await client.send<ReloadResult>('POST', '/v1/reload', {}, TIMEOUT_MS);
      printNote(result);
      if (flags.json) printJson(result);
      else process.stdout.write(`${result.message}\n`);
    });
}
