import net from 'node:net';
import { type ReceivedRequest, RequestRecord } from './request-record.ts';

/** Where the answers of a node go: texts in HTTP/1.1. */
export type AnswerSocket = Pick<net.Socket, 'destroyed' | 'resetAndDestroy'> & {
  write(text: string, encoding?: 'latin1'): unknown;
  end(text: string, encoding?: 'latin1'): unknown;
};

/** One connection at a node that records. */
export interface RecordedConnection {
  /** Counted from 1 since the last script. */
  readonly number: number;
  readonly socket: AnswerSocket;
  readonly record: RequestRecord;
}

/** A node that records what it receives, and answers by a script. */
export interface CaseNode {
  readonly port: number;
  readonly connections: readonly RecordedConnection[];
  /** Forgets everything, closes what is open, and follows `script` from now on. */
  follow(script: NodeScript): void;
  close(): Promise<void>;
}

/** Reaction of the node to received octets. */
export interface NodeScript {
  onHead?(request: ReceivedRequest, connection: RecordedConnection): void;
  onComplete?(request: ReceivedRequest, connection: RecordedConnection): void;
}

interface OpenConnection extends RecordedConnection {
  readonly socket: net.Socket;
}

/** A node that records every octet and answers by its script. */
export class RecordingNode implements CaseNode {
  readonly port: number;
  connections: OpenConnection[] = [];
  readonly #server: net.Server;
  #script: NodeScript = {};

  private constructor(server: net.Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on('connection', (socket) => this.#accept(socket));
  }

  static async start(): Promise<RecordingNode> {
    const server = net.createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return new RecordingNode(server, address.port);
  }

  follow(script: NodeScript): void {
    for (const { socket } of this.connections) socket.destroy();
    this.connections = [];
    this.#script = script;
  }

  #accept(socket: net.Socket): void {
    const script = this.#script;
    const record = new RequestRecord(
      (request) => script.onHead?.(request, connection),
      (request) => script.onComplete?.(request, connection),
    );
    const connection: OpenConnection = { number: this.connections.length + 1, socket, record };
    this.connections.push(connection);
    socket.on('data', (octets) => record.push(octets.toString('latin1')));
    socket.on('error', () => {});
  }

  close(): Promise<void> {
    this.follow({});
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
