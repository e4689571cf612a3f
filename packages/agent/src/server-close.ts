import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';

/** Connections that have become idle are closed at this interval, in milliseconds. */
const CHECK_MS = 50;
/**
 * How long connections without a request in flight are waited for, in milliseconds: upgraded ones, and those that were
 * opened and not used yet, which Node does not count as idle.
 */
const LEAST_MS = 1_000;

/**
 * Ends a server in order: no new connections, and idle ones are closed. Resolves when all are closed; after 1 s when
 * `isBusy` is false, and after `waitMs` in any case, which is at least 1 s. Keeps the process alive until then. Never rejects.
 */
export function closeServer(server: Server, waitMs: number, isBusy: () => boolean = () => true): Promise<void> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    const end = () => {
      clearInterval(timer);
      resolve();
    };
    // A connection that is kept alive would hold the server for its keep-alive time after its last answer.
    const timer = setInterval(() => {
      closeIdle(server);
      const elapsedMs = performance.now() - startMs;
      if (elapsedMs >= LEAST_MS && (elapsedMs >= waitMs || !isBusy())) end();
    }, CHECK_MS);
    // One that takes no more already is closed when its last connection ends.
    if (server.listening) server.close(end);
    else server.getConnections((error, count) => (error || count === 0 ? end() : server.once('close', end)));
    closeIdle(server);
  });
}

/** Ends the listening alone: `close` of an HTTP server would close connections that a request may be on its way to. */
export function takeNoMore(server: Server): void {
  if (server.listening) NetServer.prototype.close.call(server);
}

/** A server of HTTP/2 that takes HTTP/1 as well has no such method. */
function closeIdle(server: Partial<Pick<Server, 'closeIdleConnections'>>): void {
  server.closeIdleConnections?.();
}
