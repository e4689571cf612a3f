/**
 * An open-loop client: requests arrive by a fixed schedule, regardless of the results of earlier requests. No retries.
 *
 * A third of the requests are POST. A quarter use a connection of their own; the others share keep-alive connections.
 * Residents are sessions that exist before the run. Visitors begin a session, and some of them return. A session keeps
 * the cookies of its last answer, as a browser does.
 */
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { seededRng } from '@rollcall/core';
import { nowMs } from '../live-cluster/instant.ts';
import type { Exchange } from './ledger.ts';
import type { NodeAnswer } from './programs/sample-answer.ts';

export interface ClientPlan {
  readonly perSecond: number;
  readonly lengthMs: number;
  /** Sessions that exist before the run. */
  readonly residents: number;
  /** Share of arrivals that begin a session. */
  readonly visitorRatio: number;
  /** Residents all live at this node. */
  readonly residentsAt?: string;
  /** Each session has one connection of its own, so that all its requests reach one worker. */
  readonly hasConnectionPerSession?: boolean;
  /** Put before the names of sessions and requests, so that those of several clients differ. Default: nothing. */
  readonly prefix?: string;
  /** Path before the name of a request. Default: `/visit`. */
  readonly path?: string;
  /** A cookie that sessions send as a path parameter of this name, and not as a cookie. Default: none. */
  readonly urlSession?: { readonly cookie: string; readonly parameter: string };
  /** A second proxy. It gets a share of the requests, and those whose connect the first one refuses. */
  readonly other?: OtherProxy;
}

export interface OtherProxy {
  readonly port: number;
  /** Share of the requests after the first answer of a session. */
  readonly ratio: number;
  /** Connects that one proxy refuses are repeated at the other. */
  readonly repeatsRefused: boolean;
}

/** A request that has not ended after this time is recorded as failed. */
export const NO_END_MS = 70_000;
const POST_RATIO = 1 / 3;
const FRESH_RATIO = 1 / 4;
const RETURN_RATIO = 0.05;
const RECENT_VISITORS = 40;
const BODY = 'x'.repeat(200);
/** Limit for starting the residents' sessions. */
const SETTLE_MS = 60_000;
const SETTLE_PAUSE_MS = 20;

interface Session {
  readonly name: string;
  readonly cookies: Map<string, string>;
  readonly agent: http.Agent;
  /** Origin of its first answer. */
  home: string | undefined;
}

export class Client {
  readonly exchanges: Exchange[] = [];
  readonly residents: Session[] = [];
  /** The largest delay of an arrival against the schedule, in milliseconds. Above 1,000 the machine was too busy. */
  latestMs = 0;
  readonly #port: number;
  readonly #plan: ClientPlan;
  readonly #rng = seededRng(20_261_130);
  readonly #shared = new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, timeout: NO_END_MS });
  readonly #visitors: Session[] = [];
  readonly #underWay = new Set<Promise<unknown>>();
  /** Which worker has the connection from a local port. */
  readonly #workerOf: (localPort: number) => number | undefined;
  #sessions = 0;
  #requests = 0;
  #hasEnded = false;

  constructor(port: number, plan: ClientPlan, workerOf: (localPort: number) => number | undefined = () => undefined) {
    this.#port = port;
    this.#plan = plan;
    this.#workerOf = workerOf;
  }

  /**
   * Begins the residents' sessions, as many at each of `nodes`. A node that a busy machine slows down gets fewer new sessions: after
   * half of the time a third of its residents is enough. Rejects when they are not there within 60 s.
   */
  async settle(nodes: readonly string[]): Promise<void> {
    const { residents, residentsAt } = this.#plan;
    const places = new Map((residentsAt === undefined ? nodes : [residentsAt]).map((node) => [node, 0]));
    const perNode = Math.ceil(residents / places.size);
    const endMs = nowMs() + SETTLE_MS;
    const enough = (): number => (nowMs() > endMs - SETTLE_MS / 2 ? perNode / 3 : perNode);
    while ([...places.values()].some((taken) => taken < enough())) {
      if (nowMs() > endMs)
        throw new Error(`within ${SETTLE_MS} ms new sessions came to ${JSON.stringify([...places])} only`);
      const session = this.#newSession();
      const { answer } = await this.#send(session, 'GET', false);
      const taken = places.get(answer?.node ?? '') ?? perNode;
      if (taken < perNode) {
        places.set(answer!.node, taken + 1);
        this.residents.push(session);
      } else await pause(SETTLE_PAUSE_MS);
    }
    this.exchanges.length = 0;
  }

  /** Ends the schedule before its length. */
  end(): void {
    this.#hasEnded = true;
  }

  /** Sends the requests of the schedule. Resolves when all of them have ended. */
  async run(): Promise<void> {
    const { perSecond, lengthMs } = this.#plan;
    const startMs = nowMs();
    const total = Math.floor((lengthMs / 1000) * perSecond);
    for (let n = 0; n < total && !this.#hasEnded; ) {
      const dueMs = startMs + (n * 1000) / perSecond;
      const waitMs = dueMs - nowMs();
      if (waitMs > 0) {
        await pause(waitMs);
        continue;
      }
      this.latestMs = Math.max(this.latestMs, -waitMs);
      this.#arrive();
      n++;
    }
    await Promise.all(this.#underWay);
  }

  /** Cookies of a session, as a request field. */
  cookiesOf(session: Session): string {
    const isSent = (name: string): boolean => name !== this.#plan.urlSession?.cookie;
    return [...session.cookies]
      .filter(([name]) => isSent(name))
      .map(([name, value]) => `${name}=${value}`)
      .join('; ');
  }

  #pathOf({ cookies }: Session, id: string): string {
    const { path = '/visit', urlSession } = this.#plan;
    const value = urlSession && cookies.get(urlSession.cookie);
    return `${path}/${id}${value === undefined ? '' : `;${urlSession!.parameter}=${value}`}`;
  }

  #arrive(): void {
    const session = this.#nextSession();
    const method = this.#rng() < POST_RATIO ? 'POST' : 'GET';
    const isFresh = this.#plan.hasConnectionPerSession !== true && this.#rng() < FRESH_RATIO;
    const { other } = this.#plan;
    const port =
      other !== undefined && session.home !== undefined && this.#rng() < other.ratio ? other.port : this.#port;
    const under = this.#send(session, method, isFresh, port).finally(() => this.#underWay.delete(under));
    this.#underWay.add(under);
  }

  #nextSession(): Session {
    const draw = this.#rng();
    if (draw < this.#plan.visitorRatio) {
      const visitor = this.#newSession();
      this.#visitors.push(visitor);
      if (this.#visitors.length > RECENT_VISITORS) this.#visitors.shift();
      return visitor;
    }
    if (this.#plan.visitorRatio > 0 && draw < this.#plan.visitorRatio + RETURN_RATIO) {
      // Only visitors with an answer: before the first answer a session belongs to no node.
      const known = this.#visitors.filter(({ home }) => home !== undefined);
      const visitor = known[Math.floor(this.#rng() * known.length)];
      if (visitor) return visitor;
    }
    return this.residents[Math.floor(this.#rng() * this.residents.length)]!;
  }

  #newSession(): Session {
    const name = `${this.#plan.prefix ?? ''}s${this.#sessions++}`;
    const agent = this.#plan.hasConnectionPerSession
      ? new http.Agent({ keepAlive: true, maxSockets: 1, timeout: NO_END_MS })
      : this.#shared;
    return { name, cookies: new Map([['sid', name]]), agent, home: undefined };
  }

  async #send(session: Session, method: Exchange['method'], isFresh: boolean, port = this.#port): Promise<Exchange> {
    const id = `${this.#plan.prefix ?? ''}r${this.#requests++}`;
    const arrivedMs = nowMs();
    const { other } = this.#plan;
    let exchange = await this.#attempt(session, method, isFresh, port, id, arrivedMs);
    if (exchange.error === 'ECONNREFUSED' && other?.repeatsRefused) {
      const next = port === this.#port ? other.port : this.#port;
      exchange = await this.#attempt(session, method, isFresh, next, id, arrivedMs);
    }
    this.exchanges.push(exchange);
    return exchange;
  }

  #attempt(
    session: Session,
    method: Exchange['method'],
    isFresh: boolean,
    port: number,
    id: string,
    arrivedMs: number,
  ): Promise<Exchange> {
    return new Promise((resolve) => {
      let worker: number | undefined;
      const request = http.request({
        host: '127.0.0.1',
        port,
        method,
        path: this.#pathOf(session, id),
        agent: isFresh ? false : session.agent,
        headers: {
          host: 'site.test',
          'x-request-id': id,
          cookie: this.cookiesOf(session),
          ...(method === 'POST' && { 'content-type': 'text/plain', 'content-length': BODY.length }),
        },
      });
      let isOver = false;
      const end = (result: Pick<Exchange, 'status' | 'error' | 'answer'>): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        resolve({
          id,
          session: session.name,
          method,
          port,
          arrivedMs,
          endMs: nowMs(),
          ...(worker !== undefined && { worker }),
          ...result,
        });
      };
      const timer = setTimeout(() => {
        end({ error: `no end within ${NO_END_MS} ms` });
        request.destroy();
      }, NO_END_MS);
      request.on('error', (error: NodeJS.ErrnoException) => end({ error: error.code ?? error.message }));
      request.on('response', (response) => {
        const localPort = response.socket.localPort;
        if (localPort !== undefined) worker = this.#workerOf(localPort);
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', (error: NodeJS.ErrnoException) => end({ error: error.code ?? error.message }));
        response.on('end', () => end(this.#understood(response, text, session, id, method)));
        response.on('close', () => end({ error: 'the answer broke off' }));
      });
      request.end(method === 'POST' ? BODY : undefined);
    });
  }

  #understood(
    response: http.IncomingMessage,
    text: string,
    session: Session,
    id: string,
    method: Exchange['method'],
  ): Pick<Exchange, 'status' | 'error' | 'answer'> {
    const status = response.statusCode ?? 0;
    if (status !== 200) return { status, error: `status ${status}: ${text.slice(0, 120).split('\n')[0]}` };
    for (const field of response.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(field) ?? [];
      if (name !== undefined && value !== undefined) session.cookies.set(name, value);
    }
    try {
      const answer = JSON.parse(text) as NodeAnswer;
      if (answer.id !== id) return { status, error: `answer of another request: ${answer.id}` };
      if (answer.bytes !== (method === 'POST' ? BODY.length : 0))
        return { status, error: `${answer.bytes} octets arrived` };
      session.home ??= answer.node;
      const { node, instance, fresh, atMs } = answer;
      return { status, answer: { node, instance, fresh, atMs } };
    } catch {
      return { status, error: `not an answer of the sample node: ${text.slice(0, 80)}` };
    }
  }
}
