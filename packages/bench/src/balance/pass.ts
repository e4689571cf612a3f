/** One balancer in one scenario: started anew with nodes of its own, played to, and ended. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BenchError } from '../bench-error.ts';
import { ask } from '../system/ask.ts';
import type { Running, Workplace } from '../system/workplace.ts';
import type { Balancer, RunningBalancer } from './balancers/balancer.ts';
import type { NodeProcessOrder, NodeProcessReply, VisitOrder, VisitPlan, VisitReply } from './messages.ts';
import { type BalanceScenario, DEADLINE_MS, type NodeStep, type PassLength } from './scenario.ts';
import { type PassFigures, passFigures } from './statistics.ts';
import { planTraffic } from './traffic.ts';

export interface Pass {
  readonly balancer: Balancer;
  readonly scenario: BalanceScenario;
  readonly length: PassLength;
  readonly seed: number;
  readonly proxies: number;
}

/** Processes that the nodes live in. */
const NODE_PROCESSES = 2;
/** From the order to begin until the first instant of a pass: everybody has heard of it by then. */
const BEGIN_MS = 300;
const REPLY_MS = 30_000;
/** Longer than any pass. */
const NEVER_MS = 86_400_000;

let passes = 0;

/** Plays a pass to its end. Rejects when the balancer ends by itself, or somebody does not do what is asked. */
export async function playPass(workplace: Workplace, pass: Pass): Promise<PassFigures> {
  const { balancer, scenario, proxies } = pass;
  const number = passes++;
  const directory = workplace.path(`${balancer.name}.${number}`);
  mkdirSync(directory);
  const nodes = new NodeProcesses(workplace, scenario);
  let running: RunningBalancer | undefined;
  let visitors: Running | undefined;
  try {
    const ports = await nodes.start();
    running = await balancer.start({
      workplace,
      directory,
      nodes: ports,
      absent: scenario.steps.find(({ does }) => does.kind === 'join')?.node ?? -1,
      hasSessions: scenario.traffic.kind !== 'requests',
      proxies,
      register: (numbers, coordinator) => nodes.register(numbers, coordinator),
    });
    visitors = await startProcess(workplace, 'visitors', 'visit-process');
    const figures = await play(workplace, pass, nodes, running, visitors);
    for (const process of running.processes)
      if (process.hasEnded) throw new BenchError(`${await process.ended}; it wrote:\n${process.log()}`);
    return figures;
  } finally {
    const processes = [...(visitors ? [visitors] : []), ...(running?.processes ?? [])];
    await Promise.all(processes.map((process) => workplace.end(process)));
    await nodes.end();
  }
}

async function play(
  workplace: Workplace,
  { scenario, length, seed }: Pass,
  nodes: NodeProcesses,
  balancer: RunningBalancer,
  visitors: Running,
): Promise<PassFigures> {
  const { traffic, steps } = scenario;
  const endMs = length.warmUpMs + length.measureMs;
  const plan: VisitPlan = { ports: balancer.ports, traffic, warmUpMs: length.warmUpMs, endMs, seed };
  const tell = (order: VisitOrder, patienceMs: number): Promise<VisitReply> =>
    ask(visitors, order, workplace.signal, patienceMs);
  await tell({ order: 'plan', plan }, REPLY_MS);
  const beginMs = performance.now() + BEGIN_MS;
  const atUnixMs = performance.timeOrigin + beginMs;
  await nodes.play(atUnixMs, length);
  const visits = tell({ order: 'visit', atUnixMs }, endMs + DEADLINE_MS + REPLY_MS);
  const changes = steps.map(async ({ atMs, node, does }: NodeStep) => {
    if (does.kind !== 'join' && does.kind !== 'leave') return;
    await workplace.sleep(beginMs + atMs - performance.now());
    if (does.kind === 'join') await balancer.join(node);
    else {
      await balancer.leave(node);
      await nodes.leave(node);
    }
  });
  const [reply] = await Promise.all([visits, ...changes]);
  if (reply.reply !== 'visit') throw new BenchError('the visitors did not report');
  const { counts, lateMs } = await nodes.count();
  const requests = planTraffic(traffic, length.warmUpMs, endMs, seed);
  const figures = passFigures(scenario, length, requests, reply.report, counts);
  return { ...figures, lateMs: Math.max(figures.lateMs, lateMs) };
}

/** The nodes of one pass, by turns in some processes. */
class NodeProcesses {
  readonly #workplace: Workplace;
  readonly #scenario: BalanceScenario;
  readonly #processes: Running[] = [];

  constructor(workplace: Workplace, scenario: BalanceScenario) {
    this.#workplace = workplace;
    this.#scenario = scenario;
  }

  /** Starts them. Resolves with where they listen, by number. */
  async start() {
    const { speeds, traffic } = this.#scenario;
    for (let i = 0; i < NODE_PROCESSES; i++)
      this.#processes.push(await startProcess(this.#workplace, `nodes-${i}`, 'node-process'));
    const replies = await Promise.all(
      this.#processes.map((_, i) =>
        this.#ask(i, {
          order: 'listen',
          sessionIdleMs: traffic.kind === 'sessions' ? traffic.lifeMs : NEVER_MS,
          nodes: speeds.map((speed, number) => ({ number, speed })).filter(({ number }) => processOf(number) === i),
        }),
      ),
    );
    return replies
      .flatMap((reply) => (reply.reply === 'listen' ? reply.ports : []))
      .sort((one, other) => one.number - other.number);
  }

  async register(numbers: readonly number[], coordinator: string): Promise<void> {
    await this.#everywhere((i) => ({
      order: 'register',
      numbers: numbers.filter((number) => processOf(number) === i),
      coordinator,
    }));
  }

  async play(atUnixMs: number, { warmUpMs, measureMs }: PassLength): Promise<void> {
    const steps = this.#scenario.steps.flatMap(({ atMs, node, does }) => {
      if (does.kind === 'speed') return [{ atMs, node, factor: does.factor }];
      return does.kind === 'fail' ? [{ atMs, node, factor: 0 }] : [];
    });
    await this.#everywhere((i) => ({
      order: 'play',
      atUnixMs,
      steps: steps.filter(({ node }) => processOf(node) === i),
      fromMs: warmUpMs,
      toMs: warmUpMs + measureMs,
    }));
  }

  async leave(number: number): Promise<void> {
    await this.#ask(processOf(number), { order: 'leave', number });
  }

  async count() {
    const replies = await this.#everywhere(() => ({ order: 'count' }));
    const told = replies.flatMap((reply) => (reply.reply === 'count' ? [reply] : []));
    return {
      counts: told.flatMap(({ counts }) => counts),
      lateMs: Math.max(...told.map(({ lateMs }) => lateMs)),
    };
  }

  async end(): Promise<void> {
    await Promise.all(this.#processes.map((process) => this.#workplace.end(process)));
  }

  #everywhere(orderOf: (i: number) => NodeProcessOrder): Promise<readonly NodeProcessReply[]> {
    return Promise.all(this.#processes.map((_, i) => this.#ask(i, orderOf(i))));
  }

  #ask(i: number, order: NodeProcessOrder): Promise<NodeProcessReply> {
    return ask(this.#processes[i]!, order, this.#workplace.signal, REPLY_MS);
  }
}

function processOf(node: number): number {
  return node % NODE_PROCESSES;
}

function startProcess(workplace: Workplace, name: string, program: string): Promise<Running> {
  const path = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
  return workplace.start(name, [process.execPath, path], { cpus: [], hasChannel: true });
}
