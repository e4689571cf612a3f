/**
 * The machine-readable text of mod_status, and the part of mod_proxy_balancer in it. Keys and their order are those of Apache. A
 * function documents each number that has another meaning here.
 *
 * @see Apache httpd 2.4, mod_status.c and mod_proxy.c, status hook in short form.
 */
import { loadavg } from 'node:os';
import type { ScoreboardAnswer } from '@rollcall/feed';
import type { BalancerResource, NodeResource, StatusResource } from '@rollcall/protocol';

/** The data of the page. */
export interface AutoStatus {
  readonly status: StatusResource;
  readonly balancers: readonly BalancerResource[];
  readonly nodes: readonly NodeResource[];
  readonly connections: ScoreboardAnswer['connections'];
}

/** Letters of the scoreboard of mod_status: reading, writing, waiting. */
const LETTERS = { reading: 'R', sending: 'W', tunnel: 'W', idle: '' } as const;

export function autoText({ status, balancers, nodes, connections }: AutoStatus): string {
  const uptimeS = Math.max(1, Math.round((status.nowUnixMs - status.startedAtUnixMs) / 1_000));
  const { requests, bytesOut } = status.totals;
  const busy = connections.map(({ state }) => LETTERS[state]).join('');
  // A worker has no slots; it is shown as one slot that is always free.
  const scoreboard = busy + '_'.repeat(status.workers.length);
  const keepAlive = connections.filter(({ state }) => state === 'idle').length;
  const [load1 = 0, load5 = 0, load15 = 0] = loadavg();
  const lines: (readonly [key: string, value: string | number])[] = [
    ['ServerVersion', `Rollcall/${status.version}`],
    ['ServerMPM', 'event'],
    ['CurrentTime', new Date(status.nowUnixMs).toUTCString()],
    ['RestartTime', new Date(status.startedAtUnixMs).toUTCString()],
    ['ServerUptimeSeconds', uptimeS],
    ['Load1', load1.toFixed(2)],
    ['Load5', load5.toFixed(2)],
    ['Load15', load15.toFixed(2)],
    ['Total Accesses', requests],
    ['Total kBytes', Math.floor(bytesOut / 1_024)],
    ['Uptime', uptimeS],
    ['ReqPerSec', decimal(requests / uptimeS)],
    ['BytesPerSec', decimal(bytesOut / uptimeS)],
    ['BytesPerReq', decimal(requests === 0 ? 0 : bytesOut / requests)],
    ['BusyWorkers', busy.length],
    ['IdleWorkers', status.workers.length],
    ['Processes', status.workers.length],
    ['ConnsTotal', connections.length],
    ['ConnsAsyncKeepAlive', keepAlive],
    ['Scoreboard', scoreboard],
  ];
  for (const [i, balancer] of balancers.entries()) lines.push(...balancerLines(i, balancer, nodes));
  return lines.map(([key, value]) => `${key}: ${value}\n`).join('');
}

function* balancerLines(
  i: number,
  balancer: BalancerResource,
  nodes: readonly NodeResource[],
): Iterable<readonly [string, string | number]> {
  yield [`ProxyBalancer[${i}]Name`, `balancer://${balancer.name}`];
  const members = nodes.filter((node) => node.balancer === balancer.name);
  for (const [n, node] of members.entries()) {
    const worker = `ProxyBalancer[${i}]Worker[${n}]`;
    yield [`${worker}Name`, node.url];
    yield [`${worker}Status`, apacheStatus(node)];
    yield [`${worker}Elected`, node.observed.requests];
    yield [`${worker}Busy`, node.inFlight];
    yield [`${worker}Sent`, `${Math.floor(node.observed.bytesToNode / 1_024)}K`];
    yield [`${worker}Rcvd`, `${Math.floor(node.observed.bytesFromNode / 1_024)}K`];
  }
}

/** Status words of Apache: `Drn` draining, `Stop` stopped, `Err` not used because it fails, `Stby` standby, `Ok`. */
function apacheStatus(node: NodeResource): string {
  const words = ['Init'];
  if (node.isStandby) words.push('Stby');
  if (node.status === 'draining') words.push('Drn');
  if (node.status === 'stopped') words.push('Stop');
  const isFailing = node.liveness !== 'up' || node.observed.isEjected;
  words.push(isFailing ? 'Err' : 'Ok');
  return words.join(' ');
}

/** Apache prints numbers below one without the leading zero. */
function decimal(value: number): string {
  const text = String(Number(value.toPrecision(6)));
  return text.startsWith('0.') ? text.slice(1) : text;
}
