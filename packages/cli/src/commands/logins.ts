import type { LoginResource } from '@rollcall/protocol';
import { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { duration, table } from '../format.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

const HELP = `
A login lasts 12 h at most and ends when the admin token changes. It needs the admin token.

  rollcall logins --link          print a one-time link, good for 1 h
  rollcall logins --end 5f0c2a…   log that browser out
`;

interface LoginsFlags extends ReaderFlags {
  readonly link?: boolean;
  readonly end?: string;
}

/** `rollcall logins`: the browsers that are logged in. */
export function loginsCommand(): Command {
  return addReaderFlags(new Command('logins').description('list the browsers that are logged in'))
    .option('--link', 'print a one-time link that logs a browser in')
    .option('--end <id>', 'end a login')
    .addHelpText('after', HELP)
    .action(async (flags: LoginsFlags) => {
      if (flags.link && flags.end !== undefined)
        throw new CliFailure('--link and --end exclude each other', EXIT.usage);
      const client = await clientFor(flags);
      if (flags.link) await printLink(client, flags);
      else if (flags.end === undefined) await printLogins(client, flags);
      else {
        await client.send('DELETE', `/v1/logins/${encodeURIComponent(flags.end)}`, {});
        if (flags.json) printJson({ ended: flags.end });
        else process.stdout.write(`login ${flags.end} has ended\n`);
      }
    });
}

async function printLink(client: AdminClient, flags: LoginsFlags): Promise<void> {
  const link = await client.send<{ readonly url: string }>('POST', '/v1/login-link', {});
  if (flags.json) printJson(link);
  else process.stdout.write(`${link.url}\n`);
}

async function printLogins(client: AdminClient, flags: LoginsFlags): Promise<void> {
  const body = await client.get<{ readonly logins: readonly LoginResource[] }>('/v1/logins');
  if (flags.json) printJson(body);
  else if (body.logins.length === 0) process.stdout.write('no browser is logged in\n');
  else process.stdout.write(`${table(['LOGIN', 'FROM', 'SINCE', 'ENDS IN', 'BROWSER'], body.logins.map(row))}\n`);
}

function row({ id, from, createdAtUnixMs, expiresAtUnixMs, agent }: LoginResource): string[] {
  const endsInMs = Math.max(0, expiresAtUnixMs - Date.now());
  return [id, from, new Date(createdAtUnixMs).toISOString(), duration(endsInMs), agent];
}
