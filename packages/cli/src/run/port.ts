import { connect, createServer } from 'node:net';

/** A port that is free now, for a program that is about to start. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Whether a process accepts connections on `port` at one of `addresses`; time limit one second. */
export async function isAccepting(port: number, addresses: readonly string[]): Promise<boolean> {
  const answers = await Promise.all(addresses.map((address) => accepts(port, address)));
  return answers.includes(true);
}

function accepts(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const finish = (isAccepted: boolean) => {
      socket.destroy();
      resolve(isAccepted);
    };
    socket.setTimeout(1_000, () => finish(false));
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}
