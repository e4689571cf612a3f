/** `rollcall login`: a one-time link that logs a browser in. */
import { Command } from 'commander';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

const HELP = `
The link works once, within 1 h. The login lasts at most 12 h. This command needs the admin token. rollcall logins lists and ends logins.
`;

export function loginCommand(): Command {
  return addReaderFlags(new Command('login').description('print a one-time link that logs a browser in'))
    .addHelpText('after', HELP)
    .action(async (flags: ReaderFlags) => {
      const link = await (await clientFor(flags)).call('createLoginLink');
      if (flags.json) printJson(link);
      else process.stdout.write(`${link.url}\n`);
    });
}
