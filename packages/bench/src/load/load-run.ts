/** One run of one process of the load generator: its clients, their pace and what came of it. */
import { LatencyHistogram } from '../numbers/latency-histogram.ts';
import { Arrivals } from './arrivals.ts';
import type { Client, ClientListener } from './client.ts';
import { HttpClient } from './http-client.ts';
import type { LoadPlan, LoadReport } from './messages.ts';
import { TunnelClient } from './tunnel-client.ts';

/** An answer that takes longer is a failure. */
const PATIENCE_MS = 10_000;
const SWEEP_MS = 500;
/** How long a client waits after a failure, so that a contender that refuses everything does not keep us from measuring. */
const AFTER_FAILURE_MS = 10;
/** Connections that are opened at once when there are to be thousands. */
const OPENED_AT_ONCE = 64;
/** How long the last requests of an open-loop run may take, milliseconds. */
const LAST_ANSWERS_MS = 2_000;

export class LoadRun implements ClientListener {
  readonly #plan: LoadPlan;
  readonly #clients: Client[];
  /** Clients that may send, the one that has rested longest first. */
  readonly #idle: Client[];
  /** Instants of requests that are due and wait for a client. */
  readonly #due: number[] = [];
  #arrivals: Arrivals | undefined;
  #isOver = false;
  #sweeper: NodeJS.Timeout | undefined;
  #latency = new LatencyHistogram();
  #answered = 0;
  #failures = new Map<string, number>();
  #ownDelayMs = 0;
  #sinceMs = performance.now();
  #busySince = performance.eventLoopUtilization();
  /** How many `hold` clients have their answer, and who waits for all of them. */
  #held = 0;
  #onAllHeld: (() => void) | undefined;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    const { port, traffic, connections } = plan;
    const Kind = traffic.kind === 'tunnel' ? TunnelClient : HttpClient;
    this.#clients = Array.from({ length: connections }, () => new Kind(port, traffic, this));
    this.#idle = [...this.#clients];
  }

  /** Begins to send. Resolves at once, or when all have their first answer where connections are only held. */
  async start(): Promise<void> {
    const { pace, connections } = this.#plan;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    if (pace.kind === 'open') {
      this.#arrivals = new Arrivals(pace.perSecond, pace.isEven, pace.seed, performance.now());
      this.#turn();
      return;
    }
    const atOnce = pace.kind === 'hold' ? Math.min(OPENED_AT_ONCE, connections) : connections;
    for (let i = 0; i < atOnce; i++) this.#sendNow(this.#idle.shift()!);
    if (pace.kind === 'hold')
      await new Promise<void>((resolve) => {
        this.#onAllHeld = resolve;
      });
  }

  /** Forgets what was counted so far. */
  count(): void {
    this.#latency = new LatencyHistogram();
    this.#answered = 0;
    this.#failures = new Map();
    this.#ownDelayMs = 0;
    this.#sinceMs = performance.now();
    this.#busySince = performance.eventLoopUtilization();
  }

  /** What was counted. An open-loop run ends with it, when its last requests are answered or have waited too long. */
  async report(): Promise<LoadReport> {
    const elapsedMs = performance.now() - this.#sinceMs;
    const busyRatio = performance.eventLoopUtilization(this.#busySince).utilization;
    if (this.#arrivals !== undefined) await this.#lastAnswers();
    return {
      answered: this.#answered,
      failures: Object.fromEntries(this.#failures),
      latency: this.#latency.record(),
      elapsedMs,
      busyRatio,
      ownDelayUs: this.#ownDelayMs * 1_000,
    };
  }

  stop(): void {
    this.#isOver = true;
    clearInterval(this.#sweeper);
    for (const client of this.#clients) client.abandon();
  }

  onAnswer(client: Client): void {
    this.#latency.add((performance.now() - client.dueAtMs) * 1_000);
    this.#answered++;
    client.dueAtMs = Number.NaN;
    this.#next(client);
  }

  onFailure(client: Client, why: string): void {
    if (this.#isOver) return;
    client.dueAtMs = Number.NaN;
    this.#failures.set(why, (this.#failures.get(why) ?? 0) + 1);
    setTimeout(() => this.#next(client), AFTER_FAILURE_MS);
  }

  #next(client: Client): void {
    if (this.#isOver) return;
    switch (this.#plan.pace.kind) {
      case 'closed':
        this.#sendNow(client);
        break;
      case 'open':
        this.#idle.push(client);
        break;
      case 'hold': {
        const following = this.#idle.shift();
        if (following !== undefined) this.#sendNow(following);
        if (++this.#held === this.#clients.length) this.#onAllHeld?.();
      }
    }
  }

  #sendNow(client: Client): void {
    client.dueAtMs = performance.now();
    client.send();
  }

  /** Sends what is due and comes back at once: a timer would be late by up to a millisecond. */
  #turn(): void {
    if (this.#isOver) return;
    const nowMs = performance.now();
    const arrivals = this.#arrivals!;
    while (arrivals.nextAtMs <= nowMs) {
      this.#due.push(arrivals.nextAtMs);
      if (this.#due.length <= this.#idle.length && nowMs - arrivals.nextAtMs > this.#ownDelayMs)
        this.#ownDelayMs = nowMs - arrivals.nextAtMs;
      arrivals.advance();
    }
    while (this.#due.length > 0 && this.#idle.length > 0) {
      const client = this.#idle.shift()!;
      client.dueAtMs = this.#due.shift()!;
      client.send();
    }
    setImmediate(() => this.#turn());
  }

  /** Lets nothing more become due, and waits for what is. What is still open then counts with the time it has taken. */
  async #lastAnswers(): Promise<void> {
    this.#arrivals!.nextAtMs = Number.POSITIVE_INFINITY;
    const untilMs = performance.now() + LAST_ANSWERS_MS;
    const isOpen = (): boolean => this.#due.length > 0 || this.#clients.some(({ dueAtMs }) => dueAtMs >= 0);
    while (isOpen() && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 1));
    const nowMs = performance.now();
    const open = [...this.#due, ...this.#clients.map(({ dueAtMs }) => dueAtMs)].filter((dueAtMs) => dueAtMs >= 0);
    for (const dueAtMs of open) this.#latency.add((nowMs - dueAtMs) * 1_000);
    if (open.length > 0) this.#failures.set('no answer when the run ended', open.length);
  }

  #sweep(): void {
    const oldestAtMs = performance.now() - PATIENCE_MS;
    for (const client of this.#clients)
      if (client.dueAtMs < oldestAtMs) {
        client.abandon();
        this.onFailure(client, `no answer within ${PATIENCE_MS / 1_000} s`);
      }
  }
}
