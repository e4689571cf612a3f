/** Makes accepted sockets of the TLS port into secure ones. Node's own server does the handshake; it never listens itself. */
import type net from 'node:net';
import tls from 'node:tls';
import type { Certificates } from './certificates.ts';

export interface TlsFrontOptions {
  readonly certificates: Certificates;
  /** For the whole handshake, milliseconds. */
  readonly handshakeTimeoutMs: number;
  readonly onSecure: (socket: tls.TLSSocket) => void;
  /** A handshake came to nothing; the socket is closed already. */
  readonly onRefused: (error: Error) => void;
}

export class TlsFront {
  readonly #server: tls.Server;

  constructor({ certificates, handshakeTimeoutMs, onSecure, onRefused }: TlsFrontOptions) {
    this.#server = tls.createServer({
      ...certificates.first,
      SNICallback: (serverName, done) => done(null, certificates.contextFor(serverName)),
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: handshakeTimeoutMs,
      allowHalfOpen: true,
    });
    // Clients that name no server are not asked about by the callback.
    certificates.onChange = () => this.#server.setSecureContext(certificates.first);
    this.#server.on('secureConnection', onSecure);
    this.#server.on('tlsClientError', (error, socket) => {
      socket.destroy();
      onRefused(error);
    });
  }

  /** Begins the handshake of an accepted socket. */
  take(socket: net.Socket): void {
    this.#server.emit('connection', socket);
  }
}
