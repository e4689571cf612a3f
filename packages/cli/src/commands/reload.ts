/** `rollcall reload`: makes a running `rollcall up` read its settings again. */
import { Command } from 'commander';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';

/** New workers may take half a minute to start. */
const TIMEOUT_MS = 40_000;

const HELP = `
Reads the settings file, certificates, error pages and the program itself again. New workers take over the ports; the old
workers finish their requests and upgraded connections within --grace of rollcall up. An invalid setting changes nothing.
SIGHUP does the same. Changed addresses of rollcall up, --store, --workers and --static need a restart.

  rollcall reload
`;

export function reloadCommand(): Command {
  return addReaderFlags(new Command('reload').description('make a running rollcall up read its settings again'))
    .addHelpText('after', HELP)
    .action(async (flags: ReaderFlags) => {
      const client = await clientFor(flags);
      const result = await client.call('reloadSettings', {}, TIMEOUT_MS);
      printNote(result);
      if (flags.json) printJson(result);
      else process.stdout.write(`${result.message}\n`);
    });
}
