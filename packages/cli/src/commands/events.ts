import type { EventResource } from '@rollcall/protocol';
import { Command } from 'commander';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

/** `rollcall events`: what has happened, and with -f what happens. */
export function eventsCommand(): Command {
  return addReaderFlags(new Command('events').description('show what has happened'))
    .option('-f, --follow', 'go on showing what happens, until Ctrl-C')
    .action(async (flags: ReaderFlags & { readonly follow?: boolean }) => {
      const client = await clientFor(flags);
      const print = (event: EventResource): void =>
        flags.json ? printJson(event) : void process.stdout.write(`${lineOf(event)}\n`);
      if (!flags.follow) {
        const { events } = await client.get<{ events: readonly EventResource[] }>('/v1/events');
        for (const event of events) print(event);
        return;
      }
      const abort = new AbortController();
      process.once('SIGINT', () => abort.abort());
      try {
        for await (const event of client.events('/v1/events', abort.signal)) print(event as EventResource);
      } catch (error) {
        if ((error as Error).name !== 'AbortError') throw error;
      }
    });
}

function lineOf(event: EventResource): string {
  const text = `${event.message}${event.by ? ` (by ${event.by})` : ''}`;
  // What others have written must not act upon the terminal.
  return `${new Date(event.atUnixMs).toISOString()}  ${text.replaceAll(/\p{Cc}/gu, ' ')}`;
}
