/** What the agent learns from, and adds to, an HTTP server of the application. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { PROOF_FIELD } from '@rollcall/protocol';
import { ConnectionRequests, type InFlight, type ServedRequest } from './load/in-flight.ts';
import type { Traffic } from './load/traffic.ts';
import { probeNonce } from './proof.ts';
import { headWatch, setField } from './response-head.ts';

/** A server of node:http or node:https (what Express' `app.listen` returns), or a Fastify instance, which carries one. */
export type Attachable = Server | { readonly server: Server };

export interface ServerListener {
  /** Listens; also at once when it already does, and again after it was closed and listens anew. */
  onListening(listening: Listening): void;
  /** Listens on the UNIX socket `path`, which has no port. */
  onUnixSocket(path: string): void;
  /** Was closed and serves nobody any more. */
  onClosed(): void;
  /**
   * The load field as a line of the response head that goes out now, with its end; empty adds none. `shareMs` is what the
   * request has told of its own time, NaN when nothing.
   */
  loadLine(shareMs: number): string;
  /** Answers close their connections from now on: the node is about to close its server. */
  isEnding(): boolean;
  /** The proof for a probe's nonce, for the response field `rollcall-proof`; `undefined` while the node has none to give. */
  proofOf(nonce: string): string | undefined;
}

export interface Listening {
  /** The address that the server is bound to, `0.0.0.0` and `::` included; without zone. */
  readonly address: string;
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
 * Probes are not counted; their responses carry the proof in place of the load field. Requests that were upgraded are not
 * counted: to listen for upgrades would change how the server answers them. A request ends with its response or with its
 * connection. The returned function undoes it for requests to come.
 */
export function attachServer(
  server: Server,
  inFlight: InFlight,
  traffic: Traffic,
  listener: ServerListener,
): () => void {
  // On the response itself, and one function for all of them: a closure for each would cost more than all the rest.
  const served = Symbol('rollcall request');
  const requests = Symbol('rollcall connection');
  const proven = Symbol('rollcall proof');
  type Response = ServerResponse & { [served]?: ServedRequest; [proven]?: string };
  function onClose(this: Response): void {
    this[served]?.end();
  }
  const watchHead = headWatch((response: Response) => {
    // Node adds `Connection: close` then, unless the application has set the field itself.
    if (listener.isEnding()) response.shouldKeepAlive = false;
    return listener.loadLine(response[served]?.answered() ?? Number.NaN);
  });
  const watchProbe = headWatch((response: Response) => `${PROOF_FIELD}: ${response[proven]}\r\n`);
  const onProbe = (nonce: string, response: Response) => {
    const proof = listener.proofOf(nonce);
    if (proof === undefined) return;
    response[proven] = proof;
    if (!watchProbe(response)) setField(response, PROOF_FIELD, proof);
  };
  const onRequest = (request: IncomingMessage, response: Response) => {
    const nonce = probeNonce(request);
    if (nonce !== undefined) {
      onProbe(nonce, response);
      return;
    }
    response[served] = inFlight.begin(requestsOf(request));
    response.on('close', onClose);
    watchHead(response);
  };
  /** One listener for each connection, and none for each request. HTTP/2 shares a connection, and its responses always close. */
  const requestsOf = ({ socket, httpVersionMajor }: IncomingMessage): ConnectionRequests | undefined => {
    if (httpVersionMajor !== 1 || socket === undefined || socket === null) return undefined;
    const connection = socket as Socket & { [requests]?: ConnectionRequests };
    if (connection[requests] !== undefined) return connection[requests];
    const first = new ConnectionRequests(inFlight);
    connection[requests] = first;
    connection.once('close', () => first.closed());
    return first;
  };
  const onListening = () => {
    const address = server.address();
    if (typeof address === 'string') listener.onUnixSocket(address);
    if (address === null || typeof address === 'string') return;
    const isTls = server instanceof TlsServer;
    const keepAliveMs = server.keepAliveTimeout > 0 ? server.keepAliveTimeout : MAX_KEEP_ALIVE_MS;
    listener.onListening({
      address: address.address.replace(/%.*$/, ''),
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
