/** `rollcall drains`: the drains in progress, and ended drains of the last hour. */
import { ageText, compactDuration, type DrainResource, drainEndText } from '@rollcall/protocol';
import { Command } from 'commander';
import { table } from '../format.ts';
import { drainsOf } from '../lists.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

const HELP = `
LEFT counts sessions that were seen again, USED those of them with a request within the last minute. EMPTY IN is an estimate from the
last minutes. OUTCOME: empty (safe to stop), deadline over, killed. Ended drains are listed for an hour.
`;

const HEADINGS = ['NODE', 'BALANCER', 'SINCE', 'LEFT', 'USED', 'OLDEST', 'IN-FLIGHT', 'EMPTY IN', 'DEADLINE', 'NOTE'];

export function drainsCommand(): Command {
  return addReaderFlags(new Command('drains').description('list the drains in progress, and those of the last hour'))
    .addHelpText('after', HELP)
    .action(async (flags: ReaderFlags) => {
      const client = await clientFor(flags);
      const drains = await drainsOf(client);
      if (flags.json) printJson({ drains });
      else if (drains.length === 0)
        process.stdout.write('no drain is in progress, and none ended within the last hour\n');
      else process.stdout.write(`${drainsTable(drains, Date.now())}\n`);
    });
}

export function drainsTable(drains: readonly DrainResource[], nowUnixMs: number): string {
  return table(
    HEADINGS,
    drains.map((drain) => row(drain, nowUnixMs)),
  );
}

function row(drain: DrainResource, nowUnixMs: number): (string | number)[] {
  const { sinceUnixMs, deadlineUnixMs, sessionsLeft, usedInLastMinute, oldestMs, inFlight, emptyAtUnixMs } = drain;
  const until = (atUnixMs: number | undefined): string =>
    atUnixMs === undefined ? '-' : compactDuration(Math.max(0, atUnixMs - nowUnixMs));
  const isEnded = drain.outcome !== undefined;
  return [
    drain.node,
    drain.balancer,
    ageText(nowUnixMs - sinceUnixMs),
    sessionsLeft,
    usedInLastMinute ?? '-',
    oldestMs === undefined || isEnded ? '-' : compactDuration(oldestMs),
    inFlight,
    isEnded ? '-' : until(emptyAtUnixMs),
    isEnded ? '-' : until(deadlineUnixMs),
    noteOf(drain),
  ];
}

function noteOf({ outcome, sessionsLost, sessionsLeft, by, reason, waitingFor = [] }: DrainResource): string {
  const request = `${by === undefined ? 'by the node itself' : `by ${by}`}${reason === undefined ? '' : `: ${reason}`}`;
  const end = outcome === undefined ? [] : [drainEndText(outcome, sessionsLost ?? sessionsLeft)];
  const waiting = waitingFor.length === 0 ? [] : [`waiting for ${waitingFor.join(', ')}`];
  return [...end, ...waiting, request].join('; ');
}
