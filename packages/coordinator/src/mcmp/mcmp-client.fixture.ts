/** A node of mod_cluster for tests: its messages, and a program that answers. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { NodeResource } from '@rollcall/protocol';
import type { TestCoordinator } from '../testing/test-coordinator.ts';

export interface McmpClient {
  /** The answer to one message: head and body. */
  send(method: string, body?: string, target?: string): Promise<string>;
  /** The listener has closed the connection. */
  readonly closed: Promise<void>;
  close(): void;
}

export async function mcmpClient({ coordinator }: TestCoordinator): Promise<McmpClient> {
  const { port } = coordinator.mcmpAddress!;
  const open = async (): Promise<Socket> => {
    const made = connect(port, '127.0.0.1');
    made.setEncoding('latin1');
    await once(made, 'connect');
    return made;
  };
  let socket = await open();
  return {
    send: async (method, body = '', target = '/') => {
      // As the Java listener does: a new connection after one that was closed.
      if (socket.destroyed || socket.readableEnded) socket = await open();
      let all = '';
      const done = new Promise<string>((resolve) => {
        const take = (part: string): void => {
          all += part;
          const [head = '', rest = ''] = all.split('\r\n\r\n');
          if (!all.includes('\r\n\r\n')) return;
          if (rest.length < Number(/Content-Length: (\d+)/.exec(head)?.[1])) return;
          socket.removeListener('data', take);
          resolve(all);
        };
        socket.on('data', take);
      });
      const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
      socket.write(`${method} ${target} HTTP/1.1\r\nHost: x\r\n${length}Connection: Keep-Alive\r\n\r\n${body}`);
      const answer = await done;
      if (answer.includes('Connection: close')) socket.destroy();
      return answer;
    },
    closed: new Promise((resolve) => socket.once('close', () => resolve())),
    close: () => socket.destroy(),
  };
}

export async function program(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((_, response) => response.end('ok'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

/** Resolves when the registry has the node in this state. */
export async function until(
  setup: TestCoordinator,
  id: string,
  isSo: (node: NodeResource) => boolean,
): Promise<NodeResource> {
  for (;;) {
    const answer = await setup.api(`/v1/nodes/${id}`);
    if (answer.status === 200 && isSo(answer.json<NodeResource>())) return answer.json<NodeResource>();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
