/** `rollcall rotate`: makes a running `rollcall up` reopen its access log. */
import { Command } from 'commander';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';

const HELP = `
For log rotation: rename the file, then run this command. All workers of rollcall up continue in a new file with the
name in --access-log. The command needs a token of role operator, and runs on every machine that reaches the control port.
SIGUSR2 to rollcall up does the same.

  mv access.log access.log.1 && rollcall rotate
`;

export function rotateCommand(): Command {
  return addReaderFlags(new Command('rotate').description('make a running rollcall up reopen its access log'))
    .addHelpText('after', HELP)
    .action(async (flags: ReaderFlags) => {
      const result = await (await clientFor(flags)).call('rotateLogs');
      printNote(result);
      if (flags.json) printJson(result);
      else process.stdout.write(`${result.message}\n`);
    });
}
