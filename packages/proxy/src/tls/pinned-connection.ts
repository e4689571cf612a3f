/**
 * TLS to the coordinator that was started together with this worker. Its certificate has to be the one in a file of this machine. Name,
 * issuer and dates are not compared, so that an expired certificate does not end the feed.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import tls from 'node:tls';

/** Time from the connect to the end of the handshake, milliseconds. */
const HANDSHAKE_MS = 5_000;

type Done = (error: Error | null, socket?: Socket) => void;

/**
 * Makes connections whose certificate is the first one in one of `files` (PEM). The files are read for each connection; unreadable files
 * are skipped. Nothing is sent before the comparison. `done` gets the socket or the error.
 */
export function connectPinned(
  files: readonly string[],
  handshakeMs: number = HANDSHAKE_MS,
): (options: tls.ConnectionOptions, done: Done) => undefined {
  return (options, done) => {
    const { host, port } = options;
    const socket = tls.connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    socket.once('error', done);
    const timer = setTimeout(() => socket.destroy(new Error('no TLS handshake in time')), handshakeMs);
    socket.once('close', () => clearTimeout(timer));
    socket.once('secureConnect', () => {
      const { raw } = socket.getPeerX509Certificate() ?? {};
      const isKnown = raw !== undefined && files.some((file) => firstIn(file)?.equals(raw) === true);
      socket.off('error', done);
      clearTimeout(timer);
      if (isKnown) return done(null, socket);
      socket.destroy();
      return done(new Error(`the coordinator at ${host}:${port} shows another certificate than ${files.join(' or ')}`));
    });
    return undefined;
  };
}

function firstIn(file: string): Buffer | undefined {
  try {
    return new X509Certificate(readFileSync(file)).raw;
  } catch {
    return undefined;
  }
}
