/**
 * TLS of the control port and the agents port. Certificates are replaced while connections stay open. Clients without TLS get an
 * answer, and a connection ends when its client certificate expires.
 */
import { constants } from 'node:crypto';
import type { ServerOptions, Server as TlsServer } from 'node:https';
import type { Server, Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { Clocks } from '../clocks.ts';
import { CONTROL_CERTIFICATE, endAdvice } from './certificate-advice.ts';

/** Present certificates of the control port. Implemented by the program that reads the files. */
export interface ControlTls {
  /** Certificate and key, and the authorities for client certificates. */
  readonly context: SecureContextOptions;
  /** Clients are asked for a certificate; a client without one needs a token. */
  readonly asksClients: boolean;
  /** File of the certificate, for messages. */
  readonly path: string;
  /** Expiry of the certificate, Unix time in milliseconds. */
  readonly endsAtUnixMs: number;
  /** Why the present files cannot be used; an earlier certificate is in use. */
  readonly problem?: string | undefined;
  /** Calls `listener` after `context` has changed. */
  onChange(listener: () => void): void;
}

/** Time limit of the whole handshake, and of the first octet before it, milliseconds. */
const HANDSHAKE_MS = 10_000;
/** Interval of the check for client certificates that have expired, milliseconds. */
const CHECK_MS = 1_000;
/** First octet of a TLS record with a handshake (RFC 8446 section 5.1). */
const HANDSHAKE_RECORD = 0x16;
const WARN_AGAIN_MS = 86_400_000;
const LOOK_MS = 60_000;

/** Agents and commands recognise a TLS port by these words. */
const PLAIN_ANSWER = 'Client sent an HTTP request to an HTTPS port: use https:// or wss://\n';

/** Options of a TLS server. Sessions cannot be resumed, because that would skip the check of the client certificate. */
export function tlsServerOptions(tls: ControlTls): ServerOptions {
  return {
    ...secureContextOf(tls),
    requestCert: tls.asksClients,
    // A certificate that failed verification is refused later, with an answer that contains the reason.
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_MS,
  };
}

function secureContextOf(tls: ControlTls): SecureContextOptions {
  return { ...tls.context, secureOptions: constants.SSL_OP_NO_TICKET };
}

export interface ControlTlsOptions {
  readonly tls: ControlTls;
  readonly clocks: Clocks;
  readonly log: Logger;
}

/** TLS state shared by all servers of a coordinator. */
export class ControlTlsPorts {
  readonly #options: ControlTlsOptions;
  /** Expiry of the client certificate of each open connection, Unix time in milliseconds. */
  readonly #expiries = new Map<TLSSocket, number>();
  /** Connections with an unfinished handshake, by their peer. */
  readonly #handshakes = new Map<string, Socket>();
  #isClosing = false;
  readonly #checkTimer: NodeJS.Timeout;
  readonly #lookTimer: NodeJS.Timeout;
  #warnedAtUnixMs = Number.NEGATIVE_INFINITY;

  constructor(options: ControlTlsOptions) {
    this.#options = options;
    this.#checkTimer = setInterval(() => this.#endExpired(), CHECK_MS);
    this.#lookTimer = setInterval(() => this.#warnOfEnd(), LOOK_MS);
    options.tls.onChange(() => {
      this.#warnedAtUnixMs = Number.NEGATIVE_INFINITY;
    });
  }

  /** Watches a server that was created with `tlsServerOptions`. */
  watch(server: Server): void {
    const { tls } = this.#options;
    const secure = server as unknown as TlsServer;
    tls.onChange(() => secure.setSecureContext(secureContextOf(tls)));
    answerPlainHttp(server);
    secure.prependListener('connection', (socket: Socket) => this.#onConnection(socket));
    secure.on('secureConnection', (socket: TLSSocket) => this.#onSecure(socket));
    secure.on('tlsClientError', (error, socket) => {
      socket.destroy();
      const address = socket.remoteAddress ?? 'a closed connection';
      this.#options.log.info({ reason: error.message }, `TLS handshake with ${address} failed; connection closed`);
    });
  }

  /** Ends handshakes, which would delay the close of servers, and every later connection. */
  close(): void {
    this.#isClosing = true;
    for (const socket of this.#handshakes.values()) socket.destroy();
    clearInterval(this.#checkTimer);
    clearInterval(this.#lookTimer);
  }

  #onConnection(socket: Socket): void {
    const end = endOf(socket);
    this.#handshakes.set(end, socket);
    socket.once('close', () => this.#handshakes.delete(end));
    if (this.#isClosing) socket.destroy();
  }

  #onSecure(socket: TLSSocket): void {
    this.#handshakes.delete(endOf(socket));
    const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
    if (certificate === undefined) return;
    this.#expiries.set(socket, Date.parse(certificate.validTo));
    socket.once('close', () => this.#expiries.delete(socket));
  }

  #endExpired(): void {
    const nowUnixMs = this.#options.clocks.nowUnixMs();
    for (const [socket, endsAtUnixMs] of this.#expiries) {
      if (endsAtUnixMs > nowUnixMs) continue;
      this.#expiries.delete(socket);
      const subject = socket.getPeerX509Certificate()?.subject.replaceAll('\n', ', ');
      this.#options.log.warn(
        { address: socket.remoteAddress },
        `client certificate ${subject} has expired; connection closed`,
      );
      socket.destroy();
    }
  }

  #warnOfEnd(): void {
    const { tls, clocks, log } = this.#options;
    const nowUnixMs = clocks.nowUnixMs();
    const advice = endAdvice(CONTROL_CERTIFICATE, tls, nowUnixMs);
    if (advice === undefined || nowUnixMs - this.#warnedAtUnixMs < WARN_AGAIN_MS) return;
    this.#warnedAtUnixMs = nowUnixMs;
    log.warn(advice);
  }
}

function endOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Sends a plain HTTP answer with the right scheme to a client that begins without a TLS handshake. */
function answerPlainHttp(server: Server): void {
  const begin = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => socket.destroy());
    socket.setTimeout(HANDSHAKE_MS, () => socket.destroy());
    socket.once('readable', () => {
      const octets = socket.read() as Buffer | null;
      if (octets === null) return void socket.destroy();
      socket.setTimeout(0);
      if (octets[0] !== HANDSHAKE_RECORD) {
        socket.end(
          `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${PLAIN_ANSWER.length}\r\n\r\n${PLAIN_ANSWER}`,
          () => socket.destroy(),
        );
        return;
      }
      socket.unshift(octets);
      for (const each of begin) each.call(server, socket);
    });
  });
}
