/**
 * The client: a separate process that follows a fixed schedule (open loop), retries nothing, and records the outcome of each
 * request. The test pauses it while there is no proxy to send requests to.
 *
 * Started with one argument, a `ClientOptions` as JSON; sends `ClientMessage`s to its parent.
 */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import http from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { nowMs } from './instant.ts';
import type { Visit } from './ledger.ts';
import { LEDGER_FIELD } from './programs/node-ledger.ts';
import { burstVisits, type Plan, type ScheduledVisit, type SiteName, schedule } from './schedule.ts';

export interface ClientOptions {
  readonly proxyPort: number;
  readonly plan: Plan;
  /** File of the visits. */
  readonly file: string;
}

export type ClientMessage =
  | { readonly type: 'started' }
  /** No request is under way; after `pause`. */
  | { readonly type: 'idle' }
  | { readonly type: 'done'; readonly loopDelayP99Ms: number; readonly connections: number };

/** `finish`: no other command comes; the client ends when the schedule has. */
export type ClientCommand = 'pause' | 'resume' | 'burst' | 'finish';

/** A visitor: keeps cookies and follows links as a browser does, one request after the other. */
interface Visitor {
  readonly cookies: Map<string, string>;
  link: string | undefined;
  isBusy: boolean;
  readonly waiting: ScheduledVisit[];
}

const PATHS: Readonly<Record<SiteName, string>> = {
  files: '/',
  guess: '/examples/jsp/num/numguess.jsp',
  express: '/visit',
  fastify: '/visit',
  urls: '/visit',
  servlet: '/visit',
  app: '/',
  wiki: '/wiki/',
  bounds: '/visit',
};
/** Cookies with the route in the session id. Default: the cookie of the proxy. */
const SESSION_COOKIES: Readonly<Partial<Record<SiteName, string>>> = {
  express: 'connect.sid',
  fastify: 'sessionId',
  servlet: 'JSESSIONID',
};
/** An answer that takes longer is none. */
const TIMEOUT_MS = 8_000;

const options = JSON.parse(process.argv[2] ?? '') as ClientOptions;
const out = createWriteStream(options.file);
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
const visitors = new Map<string, Visitor>();
const delay = monitorEventLoopDelay({ resolution: 5 });
let connections = 0;
let underWay = 0;
let number = 0;
let bursts = 0;
let pausedAtMs: number | undefined;
let startedMs = 0;
let finish = (): void => {};
const finishing = new Promise<void>((resolve) => {
  finish = resolve;
});

function tell(message: ClientMessage): void {
  process.send?.(message);
}

function visitorOf(session: string): Visitor {
  let visitor = visitors.get(session);
  if (!visitor) {
    visitor = { cookies: new Map(), link: undefined, isBusy: false, waiting: [] };
    visitors.set(session, visitor);
  }
  return visitor;
}

function due(visit: ScheduledVisit): void {
  const visitor = visitorOf(visit.session);
  if (visitor.isBusy) visitor.waiting.push(visit);
  else send(visit, visitor);
}

function send(visit: ScheduledVisit, visitor: Visitor): void {
  visitor.isBusy = true;
  underWay++;
  const id = `v${number++}`;
  const sentMs = nowMs();
  const sentRoute = routeOf(visit.site, visitor);
  const body =
    visit.kind === 'post' || visit.kind === 'chunked' || visit.kind === 'slow-post' ? bodyOf(visit.site) : undefined;
  const request = http.request({
    host: '127.0.0.1',
    port: options.proxyPort,
    method: body === undefined ? 'GET' : 'POST',
    path: pathOf(visit, visitor, body !== undefined),
    agent: visit.isFresh ? false : agent,
    headers: {
      host: `${visit.site}.test`,
      [LEDGER_FIELD]: id,
      ...(visitor.cookies.size > 0
        ? { cookie: [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
        : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...(body !== undefined && visit.kind !== 'chunked' ? { 'content-length': Buffer.byteLength(body) } : {}),
    },
  });
  let headMs: number | undefined;
  let isOver = false;
  const end = (result: Partial<Visit>): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    const dueMs = startedMs + visit.dueMs;
    const line: Visit = {
      id,
      site: visit.site,
      session: visit.session,
      index: visit.index,
      kind: visit.kind,
      dueMs,
      sentMs,
      doneMs: nowMs(),
      ...(headMs === undefined ? {} : { headMs }),
      ...(sentRoute === undefined ? {} : { sentRoute }),
      ...result,
    };
    out.write(`${JSON.stringify(line)}\n`);
    underWay--;
    visitor.isBusy = false;
    const next = visitor.waiting.shift();
    if (next && pausedAtMs === undefined) send(next, visitor);
    else if (next) visitor.waiting.unshift(next);
    if (underWay === 0 && pausedAtMs !== undefined) tell({ type: 'idle' });
  };
  const timer = setTimeout(() => {
    end({ error: `no complete answer within ${TIMEOUT_MS} ms` });
    request.destroy();
  }, TIMEOUT_MS);
  request.on('socket', (socket) => {
    if (socket.connecting) connections++;
  });
  request.on('error', (error: NodeJS.ErrnoException) => end({ error: error.code ?? error.message }));
  request.on('response', (response) => {
    headMs = nowMs();
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
    });
    response.on('error', (error: NodeJS.ErrnoException) => end({ error: error.code ?? error.message }));
    response.on('close', () => {
      const status = response.statusCode ?? 0;
      if (!response.complete) end({ status, error: 'the answer broke off' });
      else {
        keepCookies(response, visitor);
        end({ status, ...understood(visit.site, text, visitor, id, body) });
      }
    });
  });
  if (visit.kind === 'chunked' && body !== undefined) {
    request.write(body.slice(0, 3));
    setImmediate(() => request.end(body.slice(3)));
  } else if (uploadsSlowly(visit) && body !== undefined) {
    request.write(body.slice(0, 3));
    setTimeout(() => request.end(body.slice(3)), visit.holdMs);
  } else request.end(body);
}

/** Programs that cannot delay an answer on request are kept busy by a slow request body. */
function uploadsSlowly({ site, kind }: ScheduledVisit): boolean {
  return kind === 'slow-post' && (site === 'app' || site === 'wiki');
}

function bodyOf(site: SiteName): string {
  return site === 'guess' ? 'guess=0' : 'hello=there';
}

function pathOf(visit: ScheduledVisit, visitor: Visitor, isPost: boolean): string {
  const path = visitor.link ?? PATHS[visit.site];
  if (visit.site === 'guess') return isPost ? path : `${path}?guess=0`;
  const hold =
    visit.holdMs === 0 || uploadsSlowly(visit) ? '' : `${visit.kind === 'stream' ? 'stream' : 'hold'}=${visit.holdMs}`;
  return hold === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${hold}`;
}

/** The node in the session id of a request. */
function routeOf(site: SiteName, visitor: Visitor): string | undefined {
  if (site === 'urls') return visitor.link?.split('.').at(-1);
  const name =
    SESSION_COOKIES[site] ?? [...visitor.cookies.keys()].find((candidate) => candidate.startsWith('rc_route'));
  const cookie = name === undefined ? undefined : visitor.cookies.get(name);
  return cookie === undefined ? undefined : decodeURIComponent(cookie).split('.')[1];
}

function keepCookies(response: http.IncomingMessage, visitor: Visitor): void {
  for (const field of response.headers['set-cookie'] ?? []) {
    const [pair = ''] = field.split(';');
    const equals = pair.indexOf('=');
    visitor.cookies.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
}

/** The node and the count in an answer, or the reason why it cannot be read. */
function understood(
  site: SiteName,
  text: string,
  visitor: Visitor,
  id: string,
  body: string | undefined,
): Partial<Visit> {
  const own = routeOf(site, visitor);
  if (site === 'files')
    return text.includes('Directory listing')
      ? { ...(own ? { node: own, instance: own } : {}) }
      : { error: 'not the listing' };
  if (site === 'guess') {
    const [, count] = /You have made (\d+) guess/.exec(text) ?? [];
    return count === undefined
      ? { error: 'no count' }
      : { count: Number(count), ...(own ? { node: own, instance: own } : {}) };
  }
  if (site === 'app' || site === 'wiki') {
    const [, instance, count] = /^(\S+) has seen .* (\d+) times?\n$/.exec(text) ?? [];
    return instance === undefined
      ? { error: 'not the answer of the program' }
      : { count: Number(count), instance, node: own ?? instance };
  }
  try {
    const answer = JSON.parse(text) as {
      id: string;
      node: string;
      instance: string;
      count: number;
      echo: string;
      link?: string;
    };
    if (answer.id !== id || answer.echo !== (body ?? '')) return { error: 'the answer belongs to another request' };
    if (answer.link !== undefined) visitor.link = answer.link;
    return { node: answer.node, instance: answer.instance, count: answer.count };
  } catch {
    return { error: 'not the answer of the program' };
  }
}

function beginBurst(): void {
  const sinceMs = nowMs() - startedMs;
  for (const burst of options.plan.bursts ?? [])
    for (const visit of burstVisits(burst, `burst-${bursts++}`, sinceMs))
      setTimeout(() => due(visit), visit.dueMs - sinceMs);
}

process.on('message', (command: ClientCommand) => {
  if (command === 'pause') {
    pausedAtMs = nowMs();
    if (underWay === 0) tell({ type: 'idle' });
  } else if (command === 'burst') beginBurst();
  else if (command === 'finish') finish();
  else if (pausedAtMs !== undefined) {
    // The schedule moves by the length of the pause; idle connections went with the proxy.
    startedMs += nowMs() - pausedAtMs;
    pausedAtMs = undefined;
    agent.destroy();
    for (const visitor of visitors.values()) {
      const next = visitor.isBusy ? undefined : visitor.waiting.shift();
      if (next) send(next, visitor);
    }
  }
});

async function follow(visits: readonly ScheduledVisit[]): Promise<void> {
  startedMs = nowMs();
  delay.enable();
  tell({ type: 'started' });
  for (const visit of visits) {
    for (let waitMs = 1; ; ) {
      waitMs = pausedAtMs === undefined ? startedMs + visit.dueMs - nowMs() : 20;
      if (waitMs <= 0) break;
      await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, 50)));
    }
    due(visit);
  }
  await finishing;
  while (underWay > 0 || [...visitors.values()].some(({ waiting }) => waiting.length > 0))
    await new Promise((resolve) => setTimeout(resolve, 50));
}

// The test may read the file from the message `started` on.
await once(out, 'open');
await follow(schedule(options.plan));
await new Promise((resolve) => out.end(resolve));
tell({ type: 'done', loopDelayP99Ms: delay.percentile(99) / 1e6 - 5, connections });
process.disconnect?.();
agent.destroy();
