/** The agents of a run, distributed over several processes. */
import { fileURLToPath } from 'node:url';
import type { LatencyHistogram } from '../numbers/latency-histogram.ts';
import { LatencyHistogram as Histogram } from '../numbers/latency-histogram.ts';
import { ask } from '../system/ask.ts';
import type { Running, Workplace } from '../system/workplace.ts';
import type { AgentCounts, AgentOrder, AgentPlan, AgentReply } from './messages.ts';

const REPLY_MS = 60_000;
/** Maximum number of agents of one process. */
const PER_PROCESS = 5_000;

export type FleetPlan = Omit<AgentPlan, 'count' | 'firstNumber'>;

export class AgentFleet {
  readonly #workplace: Workplace;
  readonly #plan: FleetPlan;
  readonly #firstNumber: number;
  readonly #processes: Running[] = [];

  /** Numbers of the agents begin at `firstNumber`; a process has up to 5,000 of them. */
  constructor(workplace: Workplace, plan: FleetPlan, firstNumber: number) {
    this.#workplace = workplace;
    this.#plan = plan;
    this.#firstNumber = firstNumber;
  }

  /** Connects agents until there are `count`, all at once. */
  async grow(count: number): Promise<void> {
    const program = fileURLToPath(new URL('./agent-process.js', import.meta.url));
    const wanted = Math.ceil(count / PER_PROCESS);
    while (this.#processes.length < wanted)
      this.#processes.push(
        await this.#workplace.start(`agents-${this.#processes.length}`, [process.execPath, program], {
          cpus: [],
          hasChannel: true,
        }),
      );
    await Promise.all(
      this.#processes.map((running, i) =>
        this.#ask(running, {
          order: 'start',
          plan: {
            ...this.#plan,
            firstNumber: this.#firstNumber + i * PER_PROCESS,
            count: Math.max(0, Math.min(PER_PROCESS, count - i * PER_PROCESS)),
          },
        }),
      ),
    );
  }

  async counts(): Promise<AgentCounts> {
    const replies = await Promise.all(this.#processes.map((running) => this.#ask(running, { order: 'count' })));
    let [agents, registered, registrations, lastRegisteredAtUnixMs] = [0, 0, 0, 0];
    const ends: Record<string, number> = {};
    for (const reply of replies) {
      if (reply.reply !== 'count') continue;
      agents += reply.counts.agents;
      registered += reply.counts.registered;
      registrations += reply.counts.registrations;
      lastRegisteredAtUnixMs = Math.max(lastRegisteredAtUnixMs, reply.counts.lastRegisteredAtUnixMs);
      for (const [why, count] of Object.entries(reply.counts.ends)) ends[why] = (ends[why] ?? 0) + count;
    }
    return { agents, registered, registrations, lastRegisteredAtUnixMs, ends };
  }

  /** Counts of ends and registrations begin anew. */
  async forget(): Promise<void> {
    await Promise.all(this.#processes.map((running) => this.#ask(running, { order: 'forget' })));
  }

  async leave(): Promise<void> {
    await Promise.all(this.#processes.map((running) => this.#ask(running, { order: 'leave' })));
  }

  /** Further nodes that register and leave after a second, `perSecond` of them; 0 ends it. */
  async churn(perSecond: number, firstNumber: number): Promise<void> {
    await this.#ask(this.#processes[0]!, { order: 'churn', perSecond, firstNumber });
  }

  /** Latencies of changes until the site follows. The fleet has two agents. */
  async change(sitePort: number, times: number): Promise<LatencyHistogram> {
    const histogram = new Histogram();
    const reply = await this.#ask(this.#processes[0]!, { order: 'change', sitePort, times });
    if (reply.reply === 'change') histogram.merge(reply.latency);
    return histogram;
  }

  async end(): Promise<void> {
    await Promise.all(this.#processes.splice(0).map((running) => this.#workplace.end(running)));
  }

  #ask(running: Running, order: AgentOrder): Promise<AgentReply> {
    return ask<AgentOrder, AgentReply>(running, order, this.#workplace.signal, REPLY_MS);
  }
}
