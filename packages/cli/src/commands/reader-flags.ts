/** Flags of every command that uses the admin API, its client, and its output. */
import type { Command } from 'commander';
import { AdminClient } from '../admin-client.ts';
import { addClientTlsFlags, type ClientTlsFlags } from '../coordinator-tls.ts';

/** Flags of every command that uses the admin API. */
export interface ReaderFlags extends ClientTlsFlags {
  readonly coordinator?: string;
  readonly stateDir?: string;
  readonly json?: boolean;
}

/** Adds these flags to a command; `--json` only if it has a machine-readable form. */
export function addReaderFlags(command: Command, { hasJson = true }: { readonly hasJson?: boolean } = {}): Command {
  command
    .option(
      '--coordinator <url>',
      'address of the coordinator; a path is a prefix (default: ROLLCALL_URL, then localhost:8400)',
    )
    .option(
      '--state-dir <directory>',
      'state directory of the coordinator, with its admin token, if it has --state-dir (env: ROLLCALL_STATE_DIR)',
    );
  addClientTlsFlags(command);
  return hasJson ? command.option('--json', 'machine-readable output') : command;
}

export function clientFor(flags: ReaderFlags): Promise<AdminClient> {
  return AdminClient.connect(flags);
}

/** One line of JSON on standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Prints the note of an answer to standard error. */
export function printNote({ note }: { readonly note?: string }): void {
  if (note !== undefined) process.stderr.write(`note: ${note}\n`);
}
