import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  decodeFeedToCoordinator,
  encodeFeed,
  FEED_VERSION,
  type FeedNode,
  type FeedToCoordinator,
  type FeedToWorker,
} from '@rollcall/feed';
import { type WebSocket, WebSocketServer } from 'ws';
import { feedBalancer, feedNode } from '../cluster/cluster.fixture.ts';

/** A coordinator's feed whose messages a test determines. */
export class TestFeed extends EventEmitter {
  readonly server: WebSocketServer;
  readonly received: FeedToCoordinator[] = [];
  socket: WebSocket | undefined;
  upgrade: IncomingMessage | undefined;
  connections = 0;

  constructor(port = 0) {
    super();
    this.server = new WebSocketServer({ host: '127.0.0.1', port });
    this.server.on('connection', (socket, request) => {
      this.connections++;
      this.socket = socket;
      this.upgrade = request;
      socket.on('message', (data) => {
        const message = decodeFeedToCoordinator(data.toString());
        assert.notEqual(message.type, 'malformed', JSON.stringify(message));
        if (message.type !== 'malformed' && message.type !== 'unknown') this.received.push(message);
        this.emit('received');
      });
    });
  }

  static async open(port = 0): Promise<TestFeed> {
    const feed = new TestFeed(port);
    await once(feed.server, 'listening');
    return feed;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  send(...messages: FeedToWorker[]): void {
    for (const message of messages) this.socket!.send(encodeFeed(message));
  }

  /** A whole snapshot in one part; nodes by id or as records. */
  sendSnapshot(nodes: readonly (string | FeedNode)[], epoch = 'e1', isSettled = true, learningMs = 0): void {
    this.send(
      { type: 'hello', epoch, feedVersion: FEED_VERSION },
      {
        type: 'snapshot',
        part: 0,
        parts: 1,
        nodes: nodes.map((node) => (typeof node === 'string' ? feedNode(node) : node)),
        balancers: [feedBalancer()],
        remembered: [],
      },
      { type: 'commit', epoch, revision: 1, isSettled, learningMs, leaseMs: 20_000 },
    );
  }

  /** The next message, or a received one, for which `matches` is true. */
  async until<Type extends FeedToCoordinator['type']>(
    type: Type,
    matches: (message: Extract<FeedToCoordinator, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<FeedToCoordinator, { type: Type }>> {
    const isType = (message: FeedToCoordinator): message is Extract<FeedToCoordinator, { type: Type }> =>
      message.type === type;
    for (;;) {
      const found = this.received.filter(isType).find(matches);
      if (found) return found;
      await once(this, 'received');
    }
  }

  async close(): Promise<void> {
    for (const socket of this.server.clients) socket.terminate();
    this.server.close();
    await once(this.server, 'close');
  }
}
