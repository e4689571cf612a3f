/** `rollcall rotate`: a running `rollcall up` opens its access log again. */
import type { ReloadResult } from '@rollcall/protocol';
import { Command } from 'commander';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';

const HELP = `
For logrotate and the like: rename the file, then run this. All workers of rollcall up continue in a new file of the
name in --access-log. It needs an operator's token, and works wherever the control port can be reached. SIGUSR2 to
rollcall up does the same.

  mv access.log access.log.1 && rollcall rotate
`;

export function rotateCommand(): Command {
  return addReaderFlags(new Command('rotate').description('have a running rollcall up open its access log again'))
    .addHelpText('after', HELP)
    .action(async (flags: ReaderFlags) => {
      const result = await (await clientFor(flags)).send<ReloadResult>('POST', '/v1/rotate', {});
      printNote(result);
      if (flags.json) printJson(result);
      else process.stdout.write(`${result.message}\n`);
    });
}
