/**
 * Closes the last socket of a port without a reset. A connection that the system has accepted and the program has not is reset when the
 * socket closes. One may arrive between the last check and the close. Linux lets a queue of length 0 hold one connection. Once a
 * connection of our own is in it, the queue holds no other, and a later client is refused instead of reset. If this takes too long, the
 * socket closes right after all connections were accepted.
 */
import net from 'node:net';

/** Longest delay of the close while connections keep arriving, milliseconds. */
const BACKLOG_MS = 500;
/** Node's default length of the queue. */
const QUEUE = 511;

interface TcpHandle {
  onconnection: (...args: unknown[]) => void;
  listen(queue: number): number;
  getpeername(out: object): number;
}

type WithHandle = { readonly _handle?: TcpHandle | null };

export async function closeWhenEmpty(
  server: net.Server,
  { withinMs = BACKLOG_MS }: { readonly withinMs?: number } = {},
): Promise<void> {
  const handle = (server as WithHandle)._handle;
  const at = server.address();
  if (typeof handle?.onconnection === 'function' && at !== null && typeof at !== 'string') {
    const own = await fillWhenQuiet(handle, at, performance.now() + withinMs);
    server.close();
    own?.destroy();
  } else server.close();
}

/** Waits for a turn in which no connection has arrived: a shorter queue would fail connections in progress. */
async function fillWhenQuiet(handle: TcpHandle, at: net.AddressInfo, endMs: number): Promise<net.Socket | undefined> {
  let arrived = 0;
  const accept = handle.onconnection;
  handle.onconnection = (...args) => {
    arrived++;
    accept.apply(handle, args);
  };
  while (performance.now() < endMs) {
    const before = arrived;
    // Between two of these, all connections that have arrived are accepted.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    const own = arrived === before ? await fillQueue(handle, at) : undefined;
    if (own !== undefined) return own;
  }
  return undefined;
}

/** A connection of our own that is the only one in the queue; `undefined` if there are others. Within one turn. */
function fillQueue(handle: TcpHandle, at: net.AddressInfo): Promise<net.Socket | undefined> {
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[at.address] ?? at.address;
  handle.listen(0);
  const own = net.connect({ host, port: at.port });
  own.on('error', () => undefined);
  return new Promise((resolve) => {
    // Node connects in a tick of its own, which comes before this one.
    process.nextTick(() => {
      const isConnected = (own as WithHandle)._handle?.getpeername({}) === 0;
      if (!isConnected) {
        handle.listen(QUEUE);
        own.destroy();
      }
      resolve(isConnected ? own : undefined);
    });
  });
}
