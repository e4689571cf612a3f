import type { EventResource } from '@rollcall/protocol';
import { Command } from 'commander';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

/** `rollcall events`: past events, and with -f new events as they happen. */
export function eventsCommand(): Command {
  return addReaderFlags(new Command('events').description('print the events of the cluster'))
    .option('-f, --follow', 'print new events until Ctrl-C')
    .action(async (flags: ReaderFlags & { readonly follow?: boolean }) => {
      const client = await clientFor(flags);
      const print = (event: EventResource): void =>
        flags.json ? printJson(event) : void process.stdout.write(`${lineOf(event)}\n`);
      if (!flags.follow) {
        const { events } = await client.call('listEvents');
        for (const event of events) print(event);
        return;
      }
      const abort = new AbortController();
      const end = (): void => abort.abort();
      process.once('SIGINT', end);
      try {
        for await (const { data } of client.stream('listEvents', {}, abort.signal)) print(data);
      } catch (error) {
        if ((error as Error).name !== 'AbortError') throw error;
      } finally {
        process.off('SIGINT', end);
      }
    });
}

function lineOf(event: EventResource): string {
  const text = `${event.message}${event.by ? ` (by ${event.by})` : ''}`;
  // Texts of other processes must not contain control characters for the terminal.
  return `${new Date(event.atUnixMs).toISOString()}  ${text.replaceAll(/\p{Cc}/gu, ' ')}`;
}
