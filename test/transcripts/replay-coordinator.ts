/** Plays the coordinator's side of a transcript to the SDK of this release, and compares what the SDK does. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import { Peer } from './peer.ts';
import { startSampleNode } from './sample-node.ts';
import { type Bindings, fill, type Message, match, type Transcript } from './transcript.ts';

export async function replayCoordinator(t: TestContext, { lines, name }: Transcript): Promise<void> {
  const { url, connected } = await listen(t);
  const sample = await startSampleNode(t, url);
  const bindings: Bindings = new Map<string, unknown>([['url:a', sample.url]]);
  let peer: Peer | undefined;
  let drained: Promise<unknown> = Promise.resolve();
  let closed: Promise<unknown> = drained;
  for (const [index, line] of lines.entries()) {
    const where = `${name}:${index + 2}`;
    if ('open' in line) peer = await connected();
    else if ('others' in line) continue;
    else if ('program' in line) {
      if (line.program === 'drain') drained = sample.node.drain();
      else if (line.program === 'close') closed = drained.then(() => sample.node.close());
      else await sample.stopped;
    } else if (line.from === 'agent') await expectOf(peer!, line, bindings, where);
    else if ('close' in line) peer!.socket.close(line.close);
    else peer!.send(fill(line.message, bindings));
  }
  await closed;
  await sample.node.close();
}

/** The agent's next message or end. It may send heartbeats in between. */
async function expectOf(
  peer: Peer,
  line: { readonly message: Message } | { readonly close: number },
  bindings: Bindings,
  where: string,
): Promise<void> {
  for (;;) {
    const received = await peer.next();
    if ('close' in line && 'close' in received) {
      assert.equal(received.close, line.close, where);
      return;
    }
    if ('close' in received) assert.fail(`${where}: the agent closed with ${received.close}`);
    const { message } = received;
    if ('message' in line && message.type === line.message.type) {
      // What a node measures differs from machine to machine.
      if (message.type !== 'heartbeat') match(line.message, message, bindings, where);
      return;
    }
    assert.equal(message.type, 'heartbeat', `${where}: ${JSON.stringify(message)}`);
  }
}

async function listen(t: TestContext): Promise<{ readonly url: string; connected(): Promise<Peer> }> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => AGENT_SUBPROTOCOL });
  const waiting: Peer[] = [];
  sockets.on('connection', (socket: WebSocket) => waiting.push(new Peer(socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const client of sockets.clients) client.terminate();
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async connected() {
      while (waiting.length === 0) await once(sockets, 'connection');
      return waiting.shift()!;
    },
  };
}
