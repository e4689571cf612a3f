import { EventEmitter, once } from 'node:events';
import net from 'node:net';

/** One connection at a node of the tests, as octets (latin1 text). */
export class RawNodeConnection {
  readonly socket: net.Socket;
  /** Everything it has received. */
  received = '';
  isClosed = false;
  #waiting: { readonly is: () => boolean; readonly go: () => void }[] = [];

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (octets) => {
      this.received += octets.toString('latin1');
      this.#look();
    });
    socket.on('error', () => {});
    socket.on('end', () => this.#look());
    socket.on('close', () => {
      this.isClosed = true;
      this.#look();
    });
  }

  /** Resolves when `is` holds; checked after every event of the connection. */
  until(is: () => boolean): Promise<void> {
    return new Promise((go) => {
      this.#waiting.push({ is, go });
      this.#look();
    });
  }

  #look(): void {
    this.#waiting = this.#waiting.filter(({ is, go }) => {
      if (!is()) return true;
      go();
      return false;
    });
  }

  /** Resolves when `count` complete heads have arrived. */
  heads(count = 1): Promise<void> {
    return this.until(() => this.received.split('\r\n\r\n').length > count);
  }

  /** Resolves when the other side has ended or reset the connection. */
  closed(): Promise<void> {
    return this.until(() => this.isClosed || this.socket.readableEnded);
  }

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }
}

export interface RawNode {
  readonly port: number;
  readonly connections: readonly RawNodeConnection[];
  /** The connection with that number, counted from 1, once it exists. */
  connection(number?: number): Promise<RawNodeConnection>;
  close(): Promise<void>;
}

/** A node that calls `serve` for each connection. */
export async function startRawNode(serve: (connection: RawNodeConnection, number: number) => void): Promise<RawNode> {
  const connections: RawNodeConnection[] = [];
  const arrivals = new EventEmitter();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection = new RawNodeConnection(socket);
    connections.push(connection);
    arrivals.emit('connection');
    serve(connection, connections.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    connections,
    connection: async (number = 1) => {
      while (connections.length < number) await once(arrivals, 'connection');
      return connections[number - 1]!;
    },
    close: () => {
      for (const { socket } of connections) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Answers each request without a body, by its target, until the connection ends. */
export function answering(
  answer: (target: string, connection: RawNodeConnection) => string | undefined,
): (connection: RawNodeConnection) => void {
  return (connection) => {
    let read = 0;
    connection.socket.on('data', () => {
      for (;;) {
        const end = connection.received.indexOf('\r\n\r\n', read);
        if (end < 0) return;
        const target = connection.received.slice(read, end).split(' ')[1] ?? '';
        read = end + 4;
        const text = answer(target, connection);
        if (text !== undefined) connection.write(text);
      }
    });
    connection.socket.on('end', () => connection.socket.end());
  };
}

/** A plain answer. */
export function ok(body = 'ok', fields = ''): string {
  return `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}
