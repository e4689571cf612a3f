/** Observes an HTTP server of the application, and adds fields to its responses. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { PROOF_FIELD } from '@rollcall/protocol';
import { ConnectionRequests, type InFlight, type ServedRequest } from './load/in-flight.ts';
import type { Traffic } from './load/traffic.ts';
import { probeNonce } from './proof.ts';
import { headWatch, setField } from './response-head.ts';

/** A server of node:http or node:https (the result of Express' `app.listen`), or a Fastify instance, which contains one. */
export type Attachable = Server | { readonly server: Server };

export interface ServerListener {
  /** The server listens. Called at once if it already does, and again when it listens after a close. */
  onListening(listening: Listening): void;
  /** The server listens on the UNIX socket `path`, which has no port. */
  onUnixSocket(path: string): void;
  /** The server is closed, and all its connections have ended. */
  onClosed(): void;
  /**
   * Returns the load field as a line of the response head, with its line end; an empty text adds no field. Called when the
   * head is sent. `shareMs` is the result of `ServedRequest.answered`, NaN if unknown.
   */
  loadLine(shareMs: number): string;
  /** Whether responses close their connections, because the node closes its server soon. */
  isEnding(): boolean;
  /** Returns the value of the response field `rollcall-proof` for a nonce; `undefined` while the node is not registered. */
  proofOf(nonce: string): string | undefined;
}

export interface Listening {
  /** Address to which the server is bound, including `0.0.0.0` and `::`; without zone. */
  readonly address: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Keep-alive time of idle connections, in milliseconds. */
  readonly keepAliveMs: number;
}

/** Largest keep-alive time of a registration. `keepAliveTimeout` 0, without a limit, is reported as this value. */
const MAX_KEEP_ALIVE_MS = 3_600_000;

/** The server in the argument of `attach`; `undefined` if it contains none. */
export function serverOf(attachable: unknown): Server | undefined {
  if (isServer(attachable)) return attachable;
  if (typeof attachable !== 'object' || attachable === null || !('server' in attachable)) return undefined;
  return isServer(attachable.server) ? attachable.server : undefined;
}

/** Checks methods instead of the class, because an application may have another copy of the class. */
function isServer(value: unknown): value is Server {
  if (typeof value !== 'object' || value === null) return false;
  const has = (name: string) => name in value && typeof (value as Record<string, unknown>)[name] === 'function';
  return has('listen') && has('address') && has('close') && has('prependListener') && 'keepAliveTimeout' in value;
}

/**
 * Counts requests and traffic of `server`, adds the load field to its responses, and reports when it listens and closes.
 *
 * Probes are not counted; their responses carry the proof instead of the load field. Upgraded requests are not counted:
 * listening for upgrades would change how the server answers them. A request ends with its response or with its connection.
 * The returned function detaches the server; open requests are still counted.
 */
export function attachServer(
  server: Server,
  inFlight: InFlight,
  traffic: Traffic,
  listener: ServerListener,
): () => void {
  // State is stored on the response, with one shared function: a closure for each response would cost more than the rest.
  const served = Symbol('rollcall request');
  const requests = Symbol('rollcall connection');
  const proven = Symbol('rollcall proof');
  type Response = ServerResponse & { [served]?: ServedRequest; [proven]?: string };
  function onClose(this: Response): void {
    this[served]?.end();
  }
  const watchHead = headWatch((response: Response) => {
    // Node.js then adds `Connection: close`, unless the application has set the field.
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
  /** One listener for each connection, not for each request. Responses of HTTP/2 always emit `close` and need none. */
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
