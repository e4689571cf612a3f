import { connect } from 'node:net';

/**
 * Tries one TCP connect and closes it at once, without sending data. Resolves to `undefined` if a program accepts it, otherwise
 * to the reason why not, as text. Never rejects.
 */
export type ConnectProbe = (host: string, port: number, signal: AbortSignal) => Promise<string | undefined>;

/** Time limit of the connect, milliseconds. */
export const PROBE_TIMEOUT_MS = 1_000;

export const connectProbe: ConnectProbe = (host, port, signal) =>
  new Promise((resolve) => {
    if (signal.aborted) {
      resolve('given up');
      return;
    }
    const socket = connect({ host, port });
    const end = (problem: string | undefined): void => {
      signal.removeEventListener('abort', giveUp);
      socket.destroy();
      resolve(problem);
    };
    const giveUp = (): void => end('given up');
    signal.addEventListener('abort', giveUp, { once: true });
    socket.setTimeout(PROBE_TIMEOUT_MS, () => end(`no answer within ${PROBE_TIMEOUT_MS} ms`));
    socket.once('connect', () => end(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => end(inWords(error)));
  });

function inWords(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return 'connection refused';
  if (error.code === 'EHOSTUNREACH' || error.code === 'ENETUNREACH') return 'no route to it';
  return error.code ?? 'connection failed';
}
