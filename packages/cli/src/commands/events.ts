/** `rollcall events`: past events, and with -f new events as they happen. */
import type { EventResource } from '@rollcall/protocol';
import { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { type EventFlags, eventFilter } from '../events-filter.ts';
import { eventLine } from '../nodes/node-page.ts';
import { wholeOf } from '../run/node-flags.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

const HELP = `
Times are local, with the difference to UTC. The types of events are in the output of --json.

  rollcall events --since 10m --node shop-1
  rollcall events -f --balancer shop --type ejected,missing
`;

/** Number of events that a coordinator keeps. */
const MAX_EVENTS = 10_000;

interface EventsFlags extends ReaderFlags, EventFlags {
  readonly follow?: boolean;
  readonly count?: string;
  readonly utc?: boolean;
}

export function eventsCommand(): Command {
  return addReaderFlags(new Command('events').description('print the events of the cluster'))
    .option('-f, --follow', 'print new events until Ctrl-C')
    .option('--since <time>', 'only events after a time: 5m ago, 15:04, or 2026-01-02T15:04')
    .option('--node <id>', 'only events of this node')
    .option('--balancer <name>', 'only events of this balancer')
    .option('--type <types>', 'only events of these types; several with commas')
    .option('-n, --count <n>', 'of past events at most the last n (default: all that the coordinator keeps)')
    .option('--utc', 'times in UTC instead of local time')
    .addHelpText('after', HELP)
    .action(async (flags: EventsFlags) => {
      const isWanted = eventFilter(flags, Date.now());
      const count = wholeOf('--count', flags.count, 0, MAX_EVENTS) ?? MAX_EVENTS;
      const client = await clientFor(flags);
      const print = (event: EventResource): void =>
        flags.json ? printJson(event) : void process.stdout.write(`${eventLine(event, flags.utc === true)}\n`);
      const past = (await client.call('listEvents')).events;
      const wanted = past.filter(isWanted);
      for (const event of wanted.slice(Math.max(0, wanted.length - count))) print(event);
      if (!flags.follow) return;
      for await (const event of newEvents(client, past.at(-1)?.id ?? 0)) if (isWanted(event)) print(event);
    });
}

/** Events after the one with this id, until Ctrl-C or the end of the stream. */
async function* newEvents(client: AdminClient, id: number): AsyncGenerator<EventResource> {
  const abort = new AbortController();
  const end = (): void => abort.abort();
  process.once('SIGINT', end);
  try {
    const query = { since: String(id) };
    for await (const { data } of client.stream('listEvents', { query }, abort.signal)) yield data;
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
  } finally {
    process.off('SIGINT', end);
  }
}
