/** A process with some agents of a run: obeys its channel, and ends with the process that started it. */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent } from '@rollcall/agent';
import { type HistogramRecord, LatencyHistogram } from '../numbers/latency-histogram.ts';
import type { AgentOrder, AgentPlan, AgentReply } from './messages.ts';
import { RawAgent } from './raw-agent.ts';
import { sdkAgent } from './sdk-agent.ts';

/** Parts of a second in which heartbeats leave. */
const SLOTS = 100;
/** A node of a churn lives so long, milliseconds. */
const LIFE_MS = 1_000;
/** A change that the site does not follow within this time counts as this long, milliseconds. */
const CHANGE_MS = 10_000;
const BETWEEN_CHANGES_MS = 150;

const agents: (RawAgent | Agent)[] = [];
const raw: RawAgent[] = [];
let plan: AgentPlan | undefined;
let ends: Record<string, number> = {};
let registrations = 0;
let lastRegisteredAtUnixMs = 0;
let churnTimer: NodeJS.Timeout | undefined;
let slot = 0;

process.on('message', (order: AgentOrder) => void obey(order).then((reply) => process.send!(reply)));
process.on('disconnect', () => process.exit());

setInterval(() => {
  slot = (slot + 1) % SLOTS;
  for (let i = slot; i < raw.length; i += SLOTS) raw[i]!.heartbeat(Math.random() / 2);
}, 1_000 / SLOTS);

async function obey(order: AgentOrder): Promise<AgentReply> {
  switch (order.order) {
    case 'start':
      plan = order.plan;
      for (let i = agents.length; i < plan.count; i++) start(plan, plan.firstNumber + i);
      return { reply: 'start' };
    case 'churn':
      churn(order.perSecond, order.firstNumber);
      return { reply: 'churn' };
    case 'change':
      return { reply: 'change', latency: await changes(order.sitePort, order.times) };
    case 'leave':
      churn(0, 0);
      for (const agent of agents.splice(0)) void agent.leave();
      raw.length = 0;
      return { reply: 'leave' };
    case 'forget':
      ends = {};
      registrations = 0;
      return { reply: 'forget' };
    case 'count': {
      const registered = agents.filter(({ isRegistered }) => isRegistered).length;
      return {
        reply: 'count',
        counts: { agents: agents.length, registered, lastRegisteredAtUnixMs, ends, registrations },
      };
    }
  }
}

const listener = {
  onRegistered: (): void => {
    registrations += 1;
    lastRegisteredAtUnixMs = Date.now();
  },
  onEnd: (why: string): void => {
    ends[why] = (ends[why] ?? 0) + 1;
  },
};

function start(of: AgentPlan, number: number): void {
  if (of.isSdk) {
    const { controlPort, token, nodePort, balancer, path } = of;
    const url = `http://${addressOf(number)}:${nodePort}`;
    agents.push(sdkAgent({ controlPort, token, id: `${balancer}-${number}`, balancer, path, url, ...listener }));
    return;
  }
  const agent = rawAgent(of, number);
  agents.push(agent);
  raw.push(agent);
}

function rawAgent({ controlPort, token, nodePort, balancer, path }: AgentPlan, number: number): RawAgent {
  const node = {
    id: `${balancer}-${number}`,
    balancer,
    url: `http://${addressOf(number)}:${nodePort}`,
    contexts: [{ path }],
    instance: number.toString(16).padStart(32, '0'),
  };
  return new RawAgent({ controlPort, token, node, ...listener });
}

/** Of the loopback; each node has its own. */
function addressOf(number: number): string {
  return `127.${1 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}

function churn(perSecond: number, firstNumber: number): void {
  clearInterval(churnTimer);
  if (perSecond === 0 || plan === undefined) return;
  const of = plan;
  let number = firstNumber;
  churnTimer = setInterval(() => {
    const agent = rawAgent(of, number++);
    setTimeout(() => agent.leave(), LIFE_MS);
  }, 1_000 / perSecond);
}

/** From the instant at which one of two nodes of a context takes over from the other until the first answer comes from it. */
async function changes(sitePort: number, times: number): Promise<HistogramRecord> {
  const histogram = new LatencyHistogram();
  const connections = new http.Agent({ keepAlive: true });
  const [one, other] = [plan!.firstNumber, plan!.firstNumber + 1];
  raw[1]!.status('stopped');
  await sleep(BETWEEN_CHANGES_MS);
  for (let i = 0; i < times; i++) {
    const isBack = i % 2 === 1;
    const wanted = addressOf(isBack ? one : other);
    const sinceMs = performance.now();
    raw[isBack ? 0 : 1]!.status('enabled');
    raw[isBack ? 1 : 0]!.status('stopped');
    let from = '';
    while (from !== wanted && performance.now() - sinceMs < CHANGE_MS) from = await answerer(sitePort, connections);
    histogram.add((performance.now() - sinceMs) * 1_000);
    await sleep(BETWEEN_CHANGES_MS);
  }
  connections.destroy();
  return histogram.record();
}

/** Address of the node that answers a new client. */
function answerer(port: number, agent: http.Agent): Promise<string> {
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, path: plan!.path, agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(String(response.headers['x-node'] ?? '')));
    });
    request.on('error', () => resolve(''));
  });
}
