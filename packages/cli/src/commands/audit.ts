/** `rollcall audit`: who has changed what, from the audit of the coordinator. */
import type { AuditResource } from '@rollcall/protocol';
import { Command } from 'commander';
import { type EventFlags, instantOf } from '../events-filter.ts';
import { eventLine } from '../nodes/node-page.ts';
import { wholeOf } from '../run/node-flags.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

const HELP = `
The newest entry is the last line. "undo" before an entry: rollcall undo CHANGE puts back what it has replaced. Times are local.

  rollcall audit --by ann --since 2h
  rollcall audit --what status,patched -n 100
`;

const DEFAULT_COUNT = 50;
const MAX_COUNT = 1_000;

interface AuditFlags extends ReaderFlags, Omit<EventFlags, 'type'> {
  readonly by?: string;
  readonly what?: string;
  readonly count?: string;
  readonly utc?: boolean;
}

export function auditCommand(): Command {
  return addReaderFlags(new Command('audit').description('print who has changed what, and why'))
    .option('--by <name>', 'only entries of this token')
    .option('--what <words>', 'only entries of these kinds, as in --json; several with commas')
    .option('--node <id>', 'only entries about this node')
    .option('--balancer <name>', 'only entries about this balancer')
    .option('--since <time>', 'only entries after a time: 5m ago, 15:04, or 2026-01-02T15:04')
    .option('-n, --count <n>', `at most the last n entries (default: ${DEFAULT_COUNT})`)
    .option('--utc', 'times in UTC instead of local time')
    .addHelpText('after', HELP)
    .action(async (flags: AuditFlags) => {
      const { by, what, node, balancer, since } = flags;
      const count = wholeOf('--count', flags.count, 1, MAX_COUNT) ?? DEFAULT_COUNT;
      const sinceUnixMs = since === undefined ? undefined : Math.max(0, instantOf(since, Date.now()));
      const client = await clientFor(flags);
      const entries: AuditResource[] = [];
      for (let after: string | undefined; entries.length < count; ) {
        const query = { by, what, node, balancer, sinceUnixMs, after, limit: count - entries.length };
        const page = await client.call('listAudit', { query });
        entries.push(...page.entries);
        if (page.next === undefined) break;
        after = page.next;
      }
      if (flags.json) printJson({ entries });
      else for (const entry of entries.reverse()) process.stdout.write(`${lineOf(entry, flags.utc === true)}\n`);
    });
}

function lineOf(
  { id, atUnixMs, what, message, by, from, reason, changeId, canUndo }: AuditResource,
  isUtc: boolean,
): string {
  const who = [...(by === undefined ? [] : [by]), ...(from === undefined ? [] : [`from ${from}`])].join(' ');
  const why = reason === undefined || message.includes(reason) ? '' : `: ${reason}`;
  const undo = canUndo === true && changeId !== undefined ? `  [undo ${changeId}]` : '';
  return `${eventLine({ id, atUnixMs, type: what, message: `${message}${why}`, ...(who !== '' && { by: who }) }, isUtc)}${undo}`;
}
