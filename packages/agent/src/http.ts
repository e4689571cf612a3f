/** What the agent learns from, and adds to, an HTTP server of the application. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { InFlight, ServedRequest } from './load/in-flight.ts';
import type { Traffic } from './load/traffic.ts';

/** A server of node:http or node:https (what Express' `app.listen` returns), or a Fastify instance, which carries one. */
export type Attachable = Server | { readonly server: Server };

export interface ServerListener {
  /** Listens on `port`; also at once when it already does, and again after it was closed and listens anew. */
  onListening(listening: Listening): void;
  /** Was closed and serves nobody any more. */
  onClosed(): void;
  /**
   * The load field as a line of the response head that goes out now, with its end; empty adds none. `shareMs` is what the
   * request has told of its own time, NaN when nothing.
   */
  loadLine(shareMs: number): string;
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
 * Counts requests and traffic of `server`, adds the load field to its responses, and tells when it listens and ends.
 *
 * Requests that were upgraded are not counted: to listen for upgrades would change how the server answers them. The
 * returned function undoes it for requests to come.
 */
export function attachServer(
  server: Server,
  inFlight: InFlight,
  traffic: Traffic,
  listener: ServerListener,
): () => void {
  // On the response itself, and one function for all of them: a closure for each would cost more than all the rest.
  const served = Symbol('rollcall request');
  type Response = ServerResponse & { [served]?: ServedRequest };
  function onClose(this: Response): void {
    this[served]?.end();
  }
  const watchHead = headWatch((response: Response) => listener.loadLine(response[served]?.answered() ?? Number.NaN));
  const onRequest = (_request: IncomingMessage, response: Response) => {
    response[served] = inFlight.begin();
    response.on('close', onClose);
    watchHead(response);
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
  const onConnection = (socket: Socket) => traffic.add(socket);
  server.prependListener('request', onRequest);
  server.on('connection', onConnection);
  server.on('listening', onListening);
  server.on('close', onClosed);
  if (server.listening) onListening();
  return () => {
    server.off('request', onRequest);
    server.off('connection', onConnection);
    server.off('listening', onListening);
    server.off('close', onClosed);
  };
}

/** What node:http calls for each response head, whether it was written by name, as an object, a list or not at all. */
type StoreHeader = (this: ServerResponse, statusLine: string, fields: unknown) => void;

/**
 * Returns what makes a response call `onHead` when its head goes out; the line that returns is put behind the status
 * line.
 *
 * `_storeHeader` is where all ways of writing a head come together. It is not documented; where it is missing (the
 * responses of HTTP/2) or takes something else nothing is added. `setHeader` in a `writeHead` of our own costs several
 * times as much, and sends lists of fields another way through Node, on which pairs are not understood.
 */
function headWatch<Response extends ServerResponse>(
  onHead: (response: Response) => string,
): (response: Response) => void {
  let original: unknown;
  let watched: StoreHeader | undefined;
  return (response) => {
    const target = response as unknown as { _storeHeader?: unknown };
    if (target._storeHeader !== original) {
      original = target._storeHeader;
      watched = isStoreHeader(original) ? withLine(original, onHead) : undefined;
    }
    if (watched !== undefined) target._storeHeader = watched;
  };
}

function isStoreHeader(value: unknown): value is StoreHeader {
  return typeof value === 'function' && value.length === 2;
}

function withLine<Response extends ServerResponse>(
  store: StoreHeader,
  onHead: (response: Response) => string,
): StoreHeader {
  return function (this: ServerResponse, statusLine, fields) {
    store.call(this, statusLine + onHead(this as Response), fields);
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
