import type { Command } from 'commander';
import { AdminClient } from '../admin-client.ts';
import { addClientTlsFlags, type ClientTlsFlags } from '../coordinator-tls.ts';

/** Flags of every command that asks a coordinator. */
export interface ReaderFlags extends ClientTlsFlags {
  readonly coordinator?: string;
  readonly stateDir?: string;
  readonly json?: boolean;
}

/** Adds them to a command. */
export function addReaderFlags(command: Command): Command {
  command
    .option(
      '--coordinator <url>',
      'address of the coordinator; a path is a prefix (default: ROLLCALL_URL, then localhost:8400)',
    )
    .option(
      '--state-dir <directory>',
      'where its admin token lies, when it was started with --state-dir (env: ROLLCALL_STATE_DIR)',
    );
  return addClientTlsFlags(command).option('--json', 'machine-readable output');
}

export function clientFor(flags: ReaderFlags): Promise<AdminClient> {
  return AdminClient.connect(flags);
}

/** One line of JSON on standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** What the answer to a change adds to it, on standard error. */
export function printNote({ note }: { readonly note?: string }): void {
  if (note !== undefined) process.stderr.write(`note: ${note}\n`);
}
