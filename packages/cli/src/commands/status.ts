import type { StatusResource } from '@rollcall/protocol';
import { Command } from 'commander';
import { duration, table } from '../format.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

/** `rollcall status`: the coordinator, its workers and what to look at. */
export function statusCommand(): Command {
  return addReaderFlags(new Command('status').description('show the coordinator and its workers')).action(
    async (flags: ReaderFlags) => {
      const status = await (await clientFor(flags)).get<StatusResource>('/v1/status');
      if (flags.json) printJson(status);
      else process.stdout.write(`${statusText(status)}\n`);
    },
  );
}

function statusText(status: StatusResource): string {
  const { nodes, store, totals } = status;
  const lines = [
    `${status.name} ${status.version}, up ${duration(status.nowUnixMs - status.startedAtUnixMs)}, revision ${status.revision}${status.isSettled ? '' : ', not settled yet'}`,
    `site ${status.proxy}, control ${status.control}`,
    `store ${store.kind}: ${store.isReachable ? 'reachable' : `away for ${duration(status.nowUnixMs - store.sinceUnixMs)}${store.lastError ? ` (${store.lastError})` : ''}`}`,
    `nodes: ${nodes.up} up, ${nodes.suspect} suspect, ${nodes.joining} joining, ${nodes.gone} gone; ${status.sessions} sessions`,
    `requests: ${totals.requests} in all, ${status.requestsPerSecond.toFixed(1)}/s; ${totals.failed} failed, ${totals.retries} retries, ${totals.failovers} failovers, ${totals.unavailable} found nobody`,
  ];
  if (status.workers.length === 0) lines.push('no proxy worker is connected');
  else {
    const rows = status.workers.map((worker) => [
      worker.worker,
      worker.pid,
      worker.revision,
      worker.isCurrent ? 'yes' : 'no',
      worker.requests,
      worker.inFlight,
      worker.connections,
    ]);
    lines.push(table(['WORKER', 'PID', 'REVISION', 'CURRENT', 'REQUESTS', 'IN-FLIGHT', 'CONNECTIONS'], rows));
  }
  return [...lines, ...status.advice.map((sentence) => `! ${sentence}`)].join('\n');
}
