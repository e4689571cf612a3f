/** A program that listens, so that a node is reachable. */
import { createServer } from 'node:net';
import { closeServer, listenOn } from './tcp.ts';

export interface TestNode {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on `port`, by default a free one. */
export async function startTestNode(port = 0): Promise<TestNode> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.resume();
  });
  const taken = await listenOn(server, port);
  return { url: `http://127.0.0.1:${taken}`, port: taken, close: () => closeServer(server) };
}
