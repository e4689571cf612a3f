/** The clients of a pass: each request leaves when it is due, whatever became of those before it. */
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { seededDraw } from '../numbers/draws.ts';
import { Lateness } from './lateness.ts';
import type { VisitPlan, VisitReport } from './messages.ts';
import { DEADLINE_MS } from './scenario.ts';
import { planTraffic, type TrafficPlan } from './traffic.ts';
import { NODE_FIELD, VISITOR_FIELD, WORK_FIELD } from './virtual-node.ts';

/** Timers count whole milliseconds: what is due so soon leaves at once. */
const SOON_MS = 0.5;

export class Visits {
  readonly #plan: TrafficPlan;
  readonly #ports: readonly number[];
  readonly #warmUpMs: number;
  readonly #choose: () => number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 4_096 });
  readonly #lateness = new Lateness();
  /** Visitors that wait for their first answer, with the requests that wait for it: a browser has no session before that. */
  readonly #waiting = new Map<number, number[]>();
  readonly #known = new Set<number>();
  /** Cookies by name, of each visitor. */
  readonly #jars = new Map<number, Map<string, string>>();
  readonly #latencyMs: number[];
  readonly #status: number[];
  readonly #node: number[];
  readonly #failures: Record<number, string> = {};
  /** Instant of this process's clock at which the pass has begun. */
  #startMs = 0;
  #next = 0;
  #open = 0;
  #onEnd: () => void = () => {};

  constructor({ ports, traffic, warmUpMs, endMs, seed }: VisitPlan) {
    const plan = planTraffic(traffic, warmUpMs, endMs, seed);
    this.#plan = plan;
    this.#ports = ports;
    this.#warmUpMs = warmUpMs;
    this.#choose = seededDraw(seed + 2);
    const { length } = plan.requests;
    [this.#latencyMs, this.#status, this.#node] = [DEADLINE_MS, 0, -1].map((value) =>
      Array.from({ length }, () => value),
    ) as [number[], number[], number[]];
  }

  /** Sends all of it. Resolves when the last request has its answer or is given up. */
  async run(atUnixMs: number): Promise<VisitReport> {
    this.#startMs = atUnixMs - performance.timeOrigin;
    await new Promise<void>((resolve) => {
      this.#onEnd = resolve;
      this.#turn();
    });
    // The connections that are left are closed with it.
    this.#agent.destroy();
    return {
      latencyMs: this.#latencyMs,
      status: this.#status,
      node: this.#node,
      failures: this.#failures,
      lateMs: this.#lateness.percentileMs(0.99),
    };
  }

  /** Sends what is due, and comes back when the next one is. */
  #turn(): void {
    const { requests } = this.#plan;
    for (; this.#next < requests.length; this.#next++) {
      const waitMs = this.#startMs + requests[this.#next]!.dueMs - performance.now();
      if (waitMs > SOON_MS) {
        setTimeout(() => this.#turn(), waitMs);
        return;
      }
      if (requests[this.#next]!.dueMs >= this.#warmUpMs) this.#lateness.add(-waitMs);
      this.#open++;
      this.#begin(this.#next);
    }
    this.#endIfDone();
  }

  /** Sends at once, or when the visitor's session is known. */
  #begin(number: number): void {
    const { visitor } = this.#plan.requests[number]!;
    const waiting = this.#waiting.get(visitor);
    if (waiting !== undefined) {
      waiting.push(number);
      return;
    }
    if (visitor >= 0 && !this.#known.has(visitor)) this.#waiting.set(visitor, []);
    this.#send(number);
  }

  /** A request of the visitor is over: whoever waited for it goes on; after a failure the next one logs in. */
  #goOn(visitor: number, hasSession: boolean): void {
    if (hasSession) this.#known.add(visitor);
    const waiting = this.#waiting.get(visitor) ?? [];
    this.#waiting.delete(visitor);
    for (const number of waiting) this.#begin(number);
  }

  #send(number: number): void {
    const { dueMs, workMs, visitor } = this.#plan.requests[number]!;
    const dueAtMs = this.#startMs + dueMs;
    const headers: Record<string, string> = { [WORK_FIELD]: workMs.toFixed(3) };
    if (visitor >= 0) {
      headers[VISITOR_FIELD] = String(visitor);
      const cookie = this.#cookieOf(visitor);
      if (cookie !== '') headers['cookie'] = cookie;
    }
    const port = this.#ports[Math.floor(this.#choose() * this.#ports.length)]!;
    let isOver = false;
    const end = (failure?: string): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(deadline);
      if (failure !== undefined) this.#failures[number] = failure;
      if (visitor >= 0) this.#goOn(visitor, this.#status[number] === 200);
      this.#open--;
      this.#endIfDone();
    };
    const request: ClientRequest = httpRequest(
      { host: '127.0.0.1', port, path: '/', agent: this.#agent, headers },
      (response) => {
        response.resume();
        response.once('end', () => {
          if (isOver) return;
          this.#status[number] = response.statusCode ?? 0;
          this.#node[number] = Number(response.headers[NODE_FIELD] ?? -1);
          if (visitor >= 0) this.#keepCookies(visitor, response);
          if (response.statusCode === 200) this.#latencyMs[number] = Math.min(DEADLINE_MS, performance.now() - dueAtMs);
          end();
        });
        response.once('error', (error) => end(nameOf(error)));
      },
    );
    const deadline = setTimeout(
      () => {
        end('no answer in time');
        request.destroy();
      },
      Math.max(0, dueAtMs + DEADLINE_MS - performance.now()),
    );
    request.once('error', (error) => end(nameOf(error)));
    request.end();
  }

  #cookieOf(visitor: number): string {
    return [...(this.#jars.get(visitor) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  #keepCookies(visitor: number, { headers }: IncomingMessage): void {
    for (const field of headers['set-cookie'] ?? []) {
      const [name, value] = field.split(';', 1)[0]!.split(/=(.*)/s) as [string, string | undefined];
      const jar = this.#jars.get(visitor) ?? new Map<string, string>();
      this.#jars.set(visitor, jar.set(name.trim(), (value ?? '').trim()));
    }
  }

  #endIfDone(): void {
    if (this.#open === 0 && this.#next >= this.#plan.requests.length) this.#onEnd();
  }
}

function nameOf(error: NodeJS.ErrnoException): string {
  return error.code ?? error.message;
}
