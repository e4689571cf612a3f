/**
 * Distribution of the connections of one port to workers:
 *
 * - One worker: one socket, on which the worker accepts. During a replacement the old and the new worker share it.
 * - Several workers, if `canReusePort`: one socket each, and the kernel distributes connections evenly.
 * - Several workers on an older Node: the supervisor accepts and hands each connection to the next worker. This costs CPU for
 *   each new connection, but not for requests on kept-alive connections.
 */
import net from 'node:net';
import { closeWhenEmpty } from '@rollcall/proxy';
import { addressText, type ListenAddress } from '../address.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { type BoundSocket, bindSockets, canReusePort, type NativeHandle } from './bound-socket.ts';
import { portHolder } from './port-holder.ts';

export interface Listener {
  readonly address: ListenAddress;
  /** Socket of the worker of this slot; `undefined` if connections are handed to it. */
  handleOf(slot: number): NativeHandle | undefined;
  /** Stops accepting. If connections are handed over, arrived connections are handed over first. */
  close(): Promise<void>;
}

/** Opens `address` for `slots` workers. `hand` gets the connections if workers cannot accept themselves. */
export async function openListener(
  address: ListenAddress,
  slots: number,
  hand: (socket: net.Socket) => void,
): Promise<Listener> {
  if (slots > 1 && !canReusePort()) return await handingListener(address, hand);
  const sockets = bindSockets(address, slots);
  return {
    address: sockets[0]!.address,
    handleOf: (slot) => sockets[slot]?.handle,
    close: async () => closeAll(sockets),
  };
}

function closeAll(sockets: readonly BoundSocket[]): void {
  for (const { handle } of sockets) handle.close();
}

function handingListener({ host, port }: ListenAddress, hand: (socket: net.Socket) => void): Promise<Listener> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, hand);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 4_096 }, () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      const { port: chosen } = server.address() as net.AddressInfo;
      resolve({ address: { host, port: chosen }, handleOf: () => undefined, close: () => closeWhenEmpty(server) });
    });
  });
}

/**
 * The address with a port that is free now, so that a taken port is reported with its holder before a process is started.
 * Binding alone is not enough, because the system reports a taken port only on `listen`.
 */
export function freeAddress({ host, port }: ListenAddress, flag: string): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const holder = error.code === 'EADDRINUSE' ? portHolder(port) : undefined;
      const what =
        error.code === 'EADDRINUSE'
          ? `port ${port} is taken${holder ? ` by ${holder}` : ''}`
          : `cannot listen on ${addressText({ host, port })}: ${error.message}`;
      reject(new CliFailure(`${what}: choose another with ${flag}`, EXIT.failed));
    });
    probe.listen({ host, port, exclusive: true }, () => {
      const chosen = (probe.address() as net.AddressInfo).port;
      probe.close(() => resolve({ host, port: chosen }));
    });
  });
}
