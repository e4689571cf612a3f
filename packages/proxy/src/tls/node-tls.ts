/** TLS to nodes: their certificate is verified with the CAs of Node or of the operator. */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import type { ConnectTarget } from '../engine/connect-guard.ts';

export interface NodeTlsOptions {
  /** PEM file of the CAs of nodes, or of a node's own certificate. Default: the CAs of Node. */
  readonly caFile?: string;
  /** The name in the certificates of nodes. Default: the host of the node's address. */
  readonly serverName?: string;
}

/** Throws an error that names the file if it cannot be used. */
export function nodeTls({ caFile, serverName }: NodeTlsOptions = {}): NodeTls {
  if (caFile === undefined) return new NodeTls(tls.createSecureContext({ minVersion: 'TLSv1.2' }), serverName);
  try {
    const ca = readFileSync(caFile, 'utf8');
    if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it holds no certificate in PEM form');
    return new NodeTls(tls.createSecureContext({ ca, minVersion: 'TLSv1.2' }), serverName);
  } catch (error) {
    throw new Error(`cannot use ${caFile}: ${(error as Error).message}`);
  }
}

export class NodeTls {
  readonly #secureContext: tls.SecureContext;
  readonly #serverName: string | undefined;
  /** The last session of each address, so that the next connection can resume it (RFC 8446 §2.2). */
  readonly #sessions = new Map<string, Buffer>();

  constructor(secureContext: tls.SecureContext, serverName: string | undefined) {
    this.#secureContext = secureContext;
    this.#serverName = serverName;
  }

  /** Begins to connect; `onConnect` is called once the node is verified. Otherwise the socket ends with an error. */
  connect({ host, lookup }: ConnectTarget, port: number, onConnect: () => void): tls.TLSSocket {
    const address = `${host}:${port}`;
    const session = this.#sessions.get(address);
    const servername = this.#serverName ?? (net.isIP(host) === 0 ? host : undefined);
    const socket = tls.connect(
      {
        host,
        port,
        ...(lookup && { lookup }),
        secureContext: this.#secureContext,
        ALPNProtocols: ['http/1.1'],
        ...(servername === undefined ? {} : { servername }),
        ...(session === undefined ? {} : { session }),
      },
      onConnect,
    );
    socket.on('session', (made) => {
      this.#sessions.delete(address);
      this.#sessions.set(address, made);
      if (this.#sessions.size > MAX_SESSIONS) this.#forgetOldest();
    });
    return socket;
  }

  #forgetOldest(): void {
    for (const address of this.#sessions.keys()) {
      this.#sessions.delete(address);
      return;
    }
  }
}

/** The code of an error of a handshake or of a certificate; `undefined` for a network error. */
export function tlsProblemOf({ code = '' }: NodeJS.ErrnoException): string | undefined {
  return code === '' || (/^E[A-Z]+$/.test(code) && code !== 'EPROTO') ? undefined : code;
}

/** OpenSSL's code for an answer that is not TLS. */
const PLAIN_HTTP = 'ERR_SSL_WRONG_VERSION_NUMBER';

/** A sentence about a node without TLS connections, with the remedy. */
export function tlsAdvice(id: string, problem: string): string {
  if (problem === PLAIN_HTTP) return `node ${id} does not speak TLS; to do: register it with an http:// address`;
  return `no TLS connection to ${id} (${problem}): its certificate is not accepted; to do: start rollcall up with --upstream-ca FILE of its authority, or --upstream-name NAME when it is for another name`;
}

/** Addresses whose sessions are kept. */
const MAX_SESSIONS = 4_096;
