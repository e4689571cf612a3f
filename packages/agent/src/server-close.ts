import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';

/** Interval at which idle connections are closed, in milliseconds. */
const CHECK_MS = 50;
/**
 * Wait for connections without a request in flight, in milliseconds. Such connections are upgraded, or have not sent a
 * request yet; Node.js does not count them as idle.
 */
const LEAST_MS = 1_000;

/**
 * Closes a server: it accepts no connections, and idle connections are closed. Resolves when all connections are closed, at
 * the latest after `waitMs`, or after 1 s if `isBusy` is false. `waitMs` below 1 s counts as 1 s. Keeps the process alive
 * until then. Never rejects.
 */
export function closeServer(server: Server, waitMs: number, isBusy: () => boolean = () => true): Promise<void> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    const end = () => {
      clearInterval(timer);
      resolve();
    };
    // Otherwise a kept-alive connection would hold the server for its keep-alive time after its last response.
    const timer = setInterval(() => {
      closeIdle(server);
      const elapsedMs = performance.now() - startMs;
      if (elapsedMs >= LEAST_MS && (elapsedMs >= waitMs || !isBusy())) end();
    }, CHECK_MS);
    // A server that does not listen emits `close` when its last connection ends.
    if (server.listening) server.close(end);
    else server.getConnections((error, count) => (error || count === 0 ? end() : server.once('close', end)));
    closeIdle(server);
  });
}

/** Stops listening only: `close` of an HTTP server would close idle connections, on which a request may be arriving. */
export function takeNoMore(server: Server): void {
  if (server.listening) NetServer.prototype.close.call(server);
}

/** Servers of HTTP/2 that accept HTTP/1 do not have this method. */
function closeIdle(server: Partial<Pick<Server, 'closeIdleConnections'>>): void {
  server.closeIdleConnections?.();
}
