/** Sends messages of mod_cluster's nodes (MCMP) in tests. */
import { once } from 'node:events';
import { connect } from 'node:net';

/** One message: `fields` begin with `&`. The target for all contexts of the node is `/*`. */
export interface McmpMessage {
  readonly method: string;
  readonly route: string;
  readonly fields?: string;
  readonly target?: string;
  /** Address of the listener. Default: 127.0.0.1. */
  readonly host?: string;
}

/** Sends it on a connection of its own. Resolves to the whole answer, with head. */
export async function sendMcmp(
  port: number,
  { method, route, fields = '', target = '/', host = '127.0.0.1' }: McmpMessage,
): Promise<string> {
  const body = `JVMRoute=${encodeURIComponent(route)}${fields}`;
  const socket = connect(port, host);
  socket.setEncoding('latin1');
  let all = '';
  socket.on('data', (part: string) => {
    all += part;
  });
  socket.write(
    `${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await once(socket, 'close');
  return all;
}
