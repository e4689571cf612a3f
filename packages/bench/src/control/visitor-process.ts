/**
 * Clients of the site or of the control port. They send `perSecond` requests per second at their due times on keep-alive connections,
 * independent of earlier responses (open loop). The process sleeps in between, so that it uses little CPU.
 */
import http from 'node:http';
import { LatencyHistogram } from '../numbers/latency-histogram.ts';
import type { VisitOrder, VisitPlan, VisitReply } from './visits.ts';

const TICK_MS = 2;
const TIMEOUT_MS = 30_000;

let connections = new http.Agent({ keepAlive: true, maxSockets: 256 });
let latency = new LatencyHistogram();
let failures: Record<string, number> = {};
let octets = 0;
let timer: NodeJS.Timeout | undefined;

process.on('message', (order: VisitOrder) => process.send!(obey(order)));
process.on('disconnect', () => process.exit());

function obey(order: VisitOrder): VisitReply {
  switch (order.order) {
    case 'visit':
      visit(order.plan);
      break;
    case 'count':
      latency = new LatencyHistogram();
      failures = {};
      octets = 0;
      break;
    case 'stop':
      clearInterval(timer);
      connections.destroy();
      connections = new http.Agent({ keepAlive: true, maxSockets: 256 });
      break;
    case 'report':
      break;
  }
  return { reply: order.order, latency: latency.record(), failures, octets };
}

function visit({ port, path, perSecond, token }: VisitPlan): void {
  const startedAtMs = performance.now();
  let sent = 0;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAtMs) * perSecond) / 1_000);
    for (; sent < due; sent++) {
      const dueAtMs = startedAtMs + ((sent + 1) * 1_000) / perSecond;
      const request = http.get({ host: '127.0.0.1', port, path, headers, agent: connections }, (response) => {
        response.on('data', (chunk: Buffer) => {
          octets += chunk.length;
        });
        response.on('end', () => {
          if (response.statusCode === 200) latency.add((performance.now() - dueAtMs) * 1_000);
          else fail(`status ${response.statusCode}`);
        });
        response.on('error', () => fail('broken answer'));
      });
      request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error('timeout')));
      request.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    }
  }, TICK_MS);
}

function fail(why: string): void {
  failures[why] = (failures[why] ?? 0) + 1;
}
