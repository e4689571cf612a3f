/** A run of one process of the load generator: its clients, their pace and the results. */
import { LatencyHistogram } from '../numbers/latency-histogram.ts';
import { Arrivals } from './arrivals.ts';
import type { Client, ClientListener } from './client.ts';
import { HttpClient } from './http-client.ts';
import type { LoadPlan, LoadReport } from './messages.ts';
import { TunnelClient } from './tunnel-client.ts';

/** Time limit of a response. */
const PATIENCE_MS = 10_000;
const SWEEP_MS = 500;
/** Pause of a client after a failure, so that a contender that refuses all requests does not saturate the generator. */
const AFTER_FAILURE_MS = 10;
/** Connections that are opened concurrently. */
const OPENED_AT_ONCE = 64;
/** Limit of one event loop turn. A longer turn was interrupted by another process or by garbage collection. */
const OWN_STALL_MS = 0.5;
/** Time limit of the last requests of an open-loop run, milliseconds. */
const LAST_ANSWERS_MS = 2_000;

/** Connections per source address on the loopback interface. Some contenders refuse more from one address. */
const PER_ADDRESS = 1_000;

export class LoadRun implements ClientListener {
  readonly #plan: LoadPlan;
  readonly #clients: Client[];
  /** Clients that may send, the longest idle one first. */
  readonly #idle: Client[];
  /** Due times of requests that wait for a client. */
  readonly #due: number[] = [];
  #arrivals: Arrivals | undefined;
  #isOver = false;
  #sweeper: NodeJS.Timeout | undefined;
  #latency = new LatencyHistogram();
  #answered = 0;
  #failures = new Map<string, number>();
  /** Responses whose latency is distorted by a delay of this process. */
  #spoiled = 0;
  /** Time of the last turn of this process, and end of its last interruption. */
  #awakeAtMs = performance.now();
  #sleptUntilMs = 0;
  #sinceMs = performance.now();
  #cpuSince = process.cpuUsage();
  /** Number of `hold` clients with a response, and the callback for all of them. */
  #held = 0;
  #onAllHeld: (() => void) | undefined;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    const { port, traffic, connections } = plan;
    const Kind = traffic.kind === 'tunnel' ? TunnelClient : HttpClient;
    this.#clients = Array.from({ length: connections }, (_, i) => new Kind(port, sourceOf(i), traffic, this));
    this.#idle = [...this.#clients];
  }

  /** Starts to send. With `hold` it resolves when all clients have their response, otherwise at once. */
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

  /** Resets the counts. */
  count(): void {
    this.#latency = new LatencyHistogram();
    this.#answered = 0;
    this.#failures = new Map();
    this.#spoiled = 0;
    this.#sinceMs = performance.now();
    this.#cpuSince = process.cpuUsage();
  }

  /** The counts. It ends an open-loop run, after responses or timeouts of its last requests. */
  async report(): Promise<LoadReport> {
    const elapsedMs = performance.now() - this.#sinceMs;
    const { user, system } = process.cpuUsage(this.#cpuSince);
    if (this.#arrivals !== undefined) await this.#lastAnswers();
    return {
      answered: this.#answered,
      failures: Object.fromEntries(this.#failures),
      latency: this.#latency.record(),
      elapsedMs,
      busyRatio: (user + system) / 1_000 / elapsedMs,
      spoiled: this.#spoiled,
    };
  }

  stop(): void {
    this.#isOver = true;
    clearInterval(this.#sweeper);
    for (const client of this.#clients) client.abandon();
  }

  onAnswer(client: Client): void {
    const nowMs = performance.now();
    this.#lookAwake(nowMs);
    if (this.#arrivals !== undefined && client.dueAtMs < this.#sleptUntilMs) this.#spoiled++;
    else this.#latency.add((nowMs - client.dueAtMs) * 1_000);
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

  /** Sends due requests and schedules the next turn with setImmediate, because a timer may be late by a millisecond. */
  #turn(): void {
    if (this.#isOver) return;
    const nowMs = performance.now();
    this.#lookAwake(nowMs);
    const arrivals = this.#arrivals!;
    while (arrivals.nextAtMs <= nowMs) {
      this.#due.push(arrivals.nextAtMs);
      arrivals.advance();
    }
    while (this.#due.length > 0 && this.#idle.length > 0) {
      const client = this.#idle.shift()!;
      client.dueAtMs = this.#due.shift()!;
      client.send();
    }
    setImmediate(() => this.#turn());
  }

  /**
   * Detects an interruption of this process, which never sleeps in an open-loop run. Requests that were due or in flight during the
   * interruption were sent or read late by this process, so their latencies are excluded. While the contender stalls, this process is
   * not interrupted, and such latencies are included.
   */
  #lookAwake(nowMs: number): void {
    if (nowMs - this.#awakeAtMs > OWN_STALL_MS) this.#sleptUntilMs = nowMs;
    this.#awakeAtMs = nowMs;
  }

  /** Stops arrivals and waits for open requests. Requests without a response in time count with their elapsed time. */
  async #lastAnswers(): Promise<void> {
    this.#arrivals!.nextAtMs = Number.POSITIVE_INFINITY;
    const untilMs = performance.now() + LAST_ANSWERS_MS;
    const isOpen = (): boolean => this.#due.length > 0 || this.#clients.some(({ dueAtMs }) => dueAtMs >= 0);
    // The turns continue, so this loop ends as soon as all requests are answered.
    while (isOpen() && performance.now() < untilMs) await new Promise((resolve) => setImmediate(resolve));
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

/** Address of the client with this number. */
function sourceOf(number: number): string {
  return `127.0.0.${1 + Math.floor(number / PER_ADDRESS)}`;
}
