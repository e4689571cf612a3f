/**
 * Counts lost early answers. 100 clients upload 8 MB each to a node that answers and closes before it has read the request, through the
 * engine and directly. Prints the counts for each way in which the node answers.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EARLY_WAYS, startEarlyNode } from './early-answer.fixture.ts';
import { Engine } from './engine.ts';
import { connectRawClient } from './raw-client.fixture.ts';
import { ScriptedRouter, upstreamNode } from './scripted-router.fixture.ts';

const CLIENTS = 100;
const UPLOAD_BYTES = 8_000_000;
const PIECE = Buffer.alloc(64_000, 'x');
/** The node does not announce its close: after a complete request the connection may be used again. */
const UNANNOUNCED = ['/keep-alive', '/open'];
const FAILED = /^HTTP\/1\.1 5/;

/** Uploads until the other side closes or everything is sent. Returns the received octets. */
async function upload(port: number, head: string, whole: RegExp, bytes: number): Promise<string> {
  const client = await connectRawClient(port);
  const { socket } = client;
  const isOver = (): boolean =>
    client.isClosed || client.hasEnded || whole.test(client.received) || FAILED.test(client.received);
  socket.write(head);
  for (let sent = 0; sent < bytes && !isOver(); sent += PIECE.length) {
    if (socket.write(PIECE.subarray(0, Math.min(PIECE.length, bytes - sent)))) continue;
    await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), client.until(isOver)]);
    if (isOver()) break;
  }
  await client.until(isOver);
  client.close();
  return client.received;
}

async function lost(port: number, way: string, version: string, bytes: number): Promise<number> {
  const whole = EARLY_WAYS[way]!;
  const expect = way === '/continue' ? 'Expect: 100-continue\r\n' : '';
  const head = `POST ${way} HTTP/${version}\r\nHost: a\r\n${expect}Content-Length: ${bytes}\r\n\r\n`;
  const answers = await Promise.all(Array.from({ length: CLIENTS }, () => upload(port, head, whole, bytes)));
  return answers.filter((answer) => !whole.test(answer)).length;
}

test(`of ${CLIENTS} early answers of each kind none is lost`, { timeout: 600_000 }, async (t) => {
  const node = await startEarlyNode();
  const router = new ScriptedRouter();
  router.nodes.push(upstreamNode('n1', node.port));
  const engine = new Engine({ router });
  t.after(async () => {
    await engine.close(0);
    node.close();
  });
  const { port } = await engine.listen({ host: '127.0.0.1', port: 0 });
  const losses: string[] = [];
  for (const way of Object.keys(EARLY_WAYS))
    for (const [version, bytes] of [
      ['1.1', UPLOAD_BYTES],
      ['1.1', 100_000],
      ['1.0', UPLOAD_BYTES],
    ] as const) {
      if (version === '1.0' && way === '/continue') continue;
      if (bytes < UPLOAD_BYTES && UNANNOUNCED.includes(way)) continue;
      const through = await lost(port, way, version, bytes);
      const direct = await lost(node.port, way, version, bytes);
      const line = `${way}, HTTP/${version}, ${bytes} octets: lost ${through}, direct ${direct} of ${CLIENTS}`;
      t.diagnostic(line);
      if (through > 0) losses.push(line);
    }
  assert.deepEqual(losses, []);
});
