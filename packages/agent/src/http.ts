/** What the agent learns from, and adds to, an HTTP server of the application. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as TlsServer } from 'node:tls';
import type { InFlight } from './load/in-flight.ts';

/** A server of node:http or node:https (what Express' `app.listen` returns), or a Fastify instance, which carries one. */
export type Attachable = Server | { readonly server: Server };

/** Response field that tells the proxy how busy the node is. */
export const LOAD_FIELD = 'rollcall-load';

export interface ServerListener {
  /** Listens on `port`; also at once when it already does, and again after it was closed and listens anew. */
  onListening(listening: Listening): void;
  /** Was closed and serves nobody any more. */
  onClosed(): void;
  /** Value of the load field for the response that starts now; `undefined` adds none. */
  loadField(): string | undefined;
}

export interface Listening {
  readonly port: number;
  readonly isTls: boolean;
  /** How long the server keeps an idle connection, in milliseconds. */
  readonly keepAliveMs: number;
}

/** `keepAliveTimeout` 0 means: kept for ever. This is the most that may be announced. */
const MAX_KEEP_ALIVE_MS = 3_600_000;

/** The server in what an application handed over; `undefined` when there is none in it. */
export function serverOf(attachable: unknown): Server | undefined {
  if (isServer(attachable)) return attachable;
  if (typeof attachable !== 'object' || attachable === null || !('server' in attachable)) return undefined;
  return isServer(attachable.server) ? attachable.server : undefined;
}

/** By shape, because an application may have another copy of the class. */
function isServer(value: unknown): value is Server {
  if (typeof value !== 'object' || value === null) return false;
  const has = (name: string) => name in value && typeof (value as Record<string, unknown>)[name] === 'function';
  return has('listen') && has('address') && has('close') && has('prependListener') && 'keepAliveTimeout' in value;
}

/**
 * Counts the requests of `server`, adds the load field to its responses, and tells when it listens and ends.
 *
 * Requests that were upgraded are not counted: to listen for upgrades would change how the server answers them. The
 * returned function undoes it for requests to come.
 */
export function attachServer(server: Server, inFlight: InFlight, listener: ServerListener): () => void {
  const onRequest = (_request: IncomingMessage, response: ServerResponse) => {
    response.once('close', inFlight.begin());
    addLoadField(response, listener);
  };
  const onListening = () => {
    const address = server.address();
    if (address === null || typeof address === 'string') return;
    const isTls = server instanceof TlsServer;
    const keepAliveMs = server.keepAliveTimeout > 0 ? server.keepAliveTimeout : MAX_KEEP_ALIVE_MS;
    listener.onListening({
      port: address.port,
      isTls,
      keepAliveMs: Math.min(MAX_KEEP_ALIVE_MS, Math.floor(keepAliveMs)),
    });
  };
  const onClosed = () => listener.onClosed();
  server.prependListener('request', onRequest);
  server.on('listening', onListening);
  server.on('close', onClosed);
  if (server.listening) onListening();
  return () => {
    server.off('request', onRequest);
    server.off('listening', onListening);
    server.off('close', onClosed);
  };
}

/** The field is written with the head, not when the request comes in: a slow answer must not carry an old number. */
function addLoadField(response: ServerResponse, listener: ServerListener): void {
  const writeHead = response.writeHead;
  response.writeHead = function withLoadField(this: ServerResponse, ...head: unknown[]): ServerResponse {
    const value = response.headersSent ? undefined : listener.loadField();
    if (value !== undefined) response.setHeader(LOAD_FIELD, value);
    return Reflect.apply(writeHead, this, head) as ServerResponse;
  };
}

/** Ends a server in order: no new connections, idle ones closed, busy ones waited for at most `waitMs`. */
export function closeServer(server: Server, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, waitMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
