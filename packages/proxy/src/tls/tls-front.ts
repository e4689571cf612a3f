/** Wraps accepted sockets of the TLS port. Node's own server does the handshake; it never listens. */
import type net from 'node:net';
import tls from 'node:tls';
import { plainAddress } from '../http1/forwarded-field.ts';
import type { Certificates } from './certificates.ts';

export interface TlsFrontOptions {
  readonly certificates: Certificates;
  /** For the whole handshake, milliseconds. */
  readonly handshakeTimeoutMs: number;
  /** `address`: that of `take`. */
  readonly onSecure: (socket: tls.TLSSocket, address: string) => void;
  /** A handshake failed; the socket is closed already. */
  readonly onRefused: (error: Error) => void;
}

export class TlsFront {
  readonly #server: tls.Server;
  /** Clients that differ from the peer of their socket, by the ends of the socket: Node does not expose which socket a `TLSSocket` wraps. */
  readonly #clients = new Map<string, string>();

  constructor({ certificates, handshakeTimeoutMs, onSecure, onRefused }: TlsFrontOptions) {
    this.#server = tls.createServer({
      ...certificates.first,
      SNICallback: (serverName, done) => done(null, certificates.contextFor(serverName)),
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: handshakeTimeoutMs,
      allowHalfOpen: true,
    });
    // The callback is not called for clients without a server name.
    certificates.onChange = () => this.#server.setSecureContext(certificates.first);
    this.#server.on('secureConnection', (socket) => {
      const client = this.#clients.size === 0 ? undefined : this.#clients.get(endsOf(socket));
      onSecure(socket, client ?? plainAddress(socket.remoteAddress));
    });
    this.#server.on('tlsClientError', (error, socket) => {
      socket.destroy();
      onRefused(error);
    });
  }

  /** Begins the handshake of an accepted socket, with the octets that it has buffered. `address` is the client's. */
  take(socket: net.Socket, address: string): void {
    if (address !== plainAddress(socket.remoteAddress)) {
      const ends = endsOf(socket);
      this.#clients.set(ends, address);
      socket.once('close', () => this.#clients.delete(ends));
    }
    this.#server.emit('connection', socket);
  }
}

/** Both ends of a connection: no other open one has them. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: net.Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
