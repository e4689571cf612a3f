import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { AJP_CPING } from '@rollcall/protocol';

/** Connections to a port after its program was killed. */
export interface DeadPort {
  /** Connections that sent nothing or CPING: probes. */
  readonly probes: () => number;
  /** Connections that sent the beginning of a request. */
  readonly requests: () => number;
  close(): Promise<void>;
}

/** Listens on the port of a killed program, `afterMs` later, and counts connections. */
export async function listenOnDeadPort(port: number, afterMs: number): Promise<DeadPort> {
  await sleep(afterMs);
  let connections = 0;
  let requests = 0;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.once('data', (octets) => {
      if (!octets.equals(AJP_CPING)) requests++;
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    probes: () => connections - requests,
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
