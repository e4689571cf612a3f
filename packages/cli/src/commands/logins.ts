import { compactDuration, type LoginResource } from '@rollcall/protocol';
import { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { table, timeText } from '../format.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

const HELP = `
A login lasts at most 12 h and ends when the admin token changes. This command needs the admin token.

  rollcall logins --link          as rollcall login: print a one-time link, good for 1 h
  rollcall logins --end 5f0c2a…   log that browser out
`;

interface LoginsFlags extends ReaderFlags {
  readonly link?: boolean;
  readonly end?: string;
  readonly dryRun?: boolean;
}

/** `rollcall logins`: lists and ends logins of browsers, and makes login links. */
export function loginsCommand(): Command {
  return addReaderFlags(new Command('logins').description('list the browsers that are logged in'))
    .option('--link', 'print a one-time link that logs a browser in')
    .option('--end <id>', 'end the login with this id')
    .option('--dry-run', 'with --end: print the effect and change nothing')
    .addHelpText('after', HELP)
    .action(async (flags: LoginsFlags) => {
      if (flags.link && flags.end !== undefined)
        throw new CliFailure('--link and --end exclude each other', EXIT.usage);
      if (flags.dryRun && flags.end === undefined) throw new CliFailure('--dry-run needs --end', EXIT.usage);
      const client = await clientFor(flags);
      if (flags.link) await printLink(client, flags);
      else if (flags.end === undefined) await printLogins(client, flags);
      else if (flags.dryRun) await foresee(client, flags.end, flags);
      else {
        await client.call('endLogin', { path: { id: flags.end } });
        if (flags.json) printJson({ ended: flags.end });
        else process.stdout.write(`login ${flags.end} has ended\n`);
      }
    });
}

async function foresee(client: AdminClient, id: string, flags: LoginsFlags): Promise<void> {
  const { logins } = await client.call('listLogins');
  const login = logins.find((one) => one.id === id);
  if (login === undefined) throw new CliFailure(`there is no login ${id}`, EXIT.failed);
  if (flags.json) printJson({ wouldEnd: login, isDryRun: true });
  else process.stdout.write(`would end login ${id} of ${login.agent}, from ${login.from}\n`);
}

async function printLink(client: AdminClient, flags: LoginsFlags): Promise<void> {
  const link = await client.call('createLoginLink');
  if (flags.json) printJson(link);
  else process.stdout.write(`${link.url}\n`);
}

async function printLogins(client: AdminClient, flags: LoginsFlags): Promise<void> {
  const body = await client.call('listLogins');
  if (flags.json) printJson(body);
  else if (body.logins.length === 0) process.stdout.write('no browser is logged in\n');
  else process.stdout.write(`${table(['LOGIN', 'FROM', 'SINCE', 'ENDS IN', 'BROWSER'], body.logins.map(row))}\n`);
}

function row({ id, from, createdAtUnixMs, expiresAtUnixMs, agent }: LoginResource): string[] {
  const endsInMs = Math.max(0, expiresAtUnixMs - Date.now());
  return [id, from, timeText(createdAtUnixMs), compactDuration(endsInMs), agent];
}
