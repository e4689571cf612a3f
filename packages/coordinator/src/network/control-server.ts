import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { FEED_PATH } from '@rollcall/feed';
import type { Fault } from '@rollcall/protocol';
import { AGENT_PATH } from '@rollcall/protocol';
import type { ListenAddress } from '../config.ts';
import { type ControlTls, tlsServerOptions } from './control-tls.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';

/** Handles the upgrades of one path. */
export interface Upgrades {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Routes upgrade requests to agents and feed by their exact path; all others get 404. */
export function routeUpgrades(server: Server, agents: Upgrades, feed: Upgrades): void {
  server.on('upgrade', (request, socket, head) => {
    if (request.url === AGENT_PATH) agents.upgrade(request, socket, head);
    else if (request.url === FEED_PATH) feed.upgrade(request, socket, head);
    else refuseUpgrade(socket, nothingAt(request));
  });
}

function nothingAt(request: IncomingMessage): Fault {
  return { code: 'not-found', message: `there is no WebSocket at ${(request.url ?? '').slice(0, 100)}` };
}

/**
 * Time limits of each control server for slow or silent clients. The limit for a request head is that of the site's port, from
 * the start of the connection. By default Node.js checks for late requests only every 30 s.
 */
export const SERVER_BOUNDS = {
  headersTimeout: 10_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 500,
} as const;

/** A server for upgrades only: the agents' own port. Everything else gets 404. */
export function createUpgradeServer(tls: ControlTls | undefined): Server {
  const bounds = { ...SERVER_BOUNDS, requestTimeout: 10_000, maxHeaderSize: 16_384 };
  const answer: RequestListener = (_, response) => {
    response.writeHead(404, { 'content-type': 'text/plain', connection: 'close' }).end('agents only\n');
  };
  if (tls === undefined) return createServer(bounds, answer);
  return createTlsServer({ ...tlsServerOptions(tls), ...bounds }, answer) as unknown as Server;
}

/** Length of the accept queue. After a restart all agents connect at once. The bound of the system (somaxconn) applies too. */
const BACKLOG = 4_096;

/** Listens, and resolves to the bound address. Rejects if the address cannot be bound. */
export function listen(server: Server, { host, port }: ListenAddress): Promise<ListenAddress> {
  watchAnswers(server);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.removeListener('error', reject);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('not a TCP address'));
      else resolve({ host: address.address, port: address.port });
    });
  });
}

/** Time that open answers get to end when a server closes, milliseconds. */
const ANSWER_MS = 5_000;
/** Open answers of listening servers. */
const answering = new WeakMap<Server, Set<ServerResponse>>();

function watchAnswers(server: Server): void {
  const responses = new Set<ServerResponse>();
  answering.set(server, responses);
  server.on('request', (_, response) => {
    responses.add(response);
    response.once('close', () => responses.delete(response));
  });
}

/** Stops listening, lets open answers end, and destroys the remaining connections. */
export async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const ends = [...(answering.get(server) ?? [])].map((response) => once(response, 'close'));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ANSWER_MS);
  });
  await Promise.race([Promise.all(ends), late]);
  clearTimeout(timer);
  server.closeAllConnections();
  await closed;
}

/** `http://host:port`, with brackets around IPv6, and `localhost` instead of a wildcard address. */
export function urlOf(scheme: 'http' | 'https' | 'ws' | 'wss', { host, port }: ListenAddress): string {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `${scheme}://${name}:${port}`;
}
