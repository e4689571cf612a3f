/** The server-status page: coordinator, traffic and workers. */
import type { StatusResource, WorkerResource } from '@rollcall/protocol';
import { get, getText, poll, tellFailure } from './admin-api.js';
import { bytes } from './amounts.js';
import { byId, duration, make, setText } from './dom.js';
import { offerLogout } from './session.js';

/** `?refresh=N` sets the period in seconds, 1 to 3,600, default 1, as with Apache. */
const periodMs = Math.min(3_600, Math.max(1, Number(new URLSearchParams(location.search).get('refresh')) || 1)) * 1_000;

poll(refresh, periodMs);
offerLogout();
for (const link of document.querySelectorAll<HTMLAnchorElement>('a[data-raw]'))
  link.addEventListener('click', (click) => {
    click.preventDefault();
    void showRaw(link);
  });

/** Fetches the target of a link and shows it as text, because the browser would request the link without the page key. */
async function showRaw(link: HTMLAnchorElement): Promise<void> {
  try {
    const text = await getText(link.pathname + link.search);
    location.assign(URL.createObjectURL(new Blob([text], { type: 'text/plain; charset=utf-8' })));
  } catch (error) {
    tellFailure(error);
  }
}

async function refresh(): Promise<void> {
  const status = await get<StatusResource>('/v1/status');
  setText(byId('summary'), `${status.name} ${status.version}`);
  fill('coordinator', [
    ['site', status.proxy],
    ['up for', duration(status.nowUnixMs - status.startedAtUnixMs)],
    ['node version', status.node],
    ['revision', `${status.revision}${status.isSettled ? '' : ' (not settled yet)'}`],
    [
      'store',
      `${status.store.kind}, ${status.store.isReachable ? 'reachable' : `unreachable for ${duration(status.nowUnixMs - status.store.sinceUnixMs)}`}`,
    ],
    [
      'nodes',
      `${status.nodes.up} up, ${status.nodes.suspect} suspect, ${status.nodes.joining} joining, ${status.nodes.down} down, ${status.nodes.gone} gone`,
    ],
    ['sessions', String(status.sessions)],
    ['sessions seen once', String(status.sessionsSeenOnce)],
    ...status.unserved.map(
      ({ host, path, message, remedy }) => [`not served: ${path} on ${host}`, `${message}; to do: ${remedy}`] as const,
    ),
  ]);
  const { totals } = status;
  fill('traffic', [
    ['requests', `${totals.requests}, ${status.requestsPerSecond.toFixed(1)}/s`],
    ['failed', String(totals.failed)],
    ['retries', String(totals.retries)],
    ['failovers', String(totals.failovers)],
    ['sessions moved', String(totals.moved)],
    [
      'parked',
      status.parked.requests === 0
        ? '0'
        : `${status.parked.requests}, the oldest for ${duration(status.parked.oldestMs)}`,
    ],
    ['no node available', String(totals.unavailable)],
    ['in and out', `${bytes(totals.bytesIn)} and ${bytes(totals.bytesOut)}`],
  ]);
  byId('workers').replaceChildren(...status.workers.map(workerRow));
}

function fill(id: string, entries: readonly (readonly [string, string])[]): void {
  byId(id).replaceChildren(...entries.flatMap(([name, value]) => [make('dt', '', name), make('dd', '', value)]));
}

function workerRow(worker: WorkerResource): HTMLElement {
  const number = (value: number | string): HTMLElement => make('td', 'number', String(value));
  return make(
    'tr',
    '',
    make('td', '', worker.worker),
    number(worker.pid),
    make('td', '', worker.version),
    make('td', worker.isCurrent ? 'good' : 'warn', worker.isCurrent ? 'yes' : 'no'),
    number(worker.requests),
    number(worker.inFlight),
    number(worker.connections),
    number(`${worker.loopDelayMs.toFixed(1)} ms`),
  );
}
