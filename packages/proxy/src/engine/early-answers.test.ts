/**
 * A node answers before it has read the request, and closes. The answer reaches the client, although the following reset fails the next
 * write of the engine. The engine is kept busy until the next piece of the upload and the reset are both pending, the piece first. In this
 * order answers were lost.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { makeAuthority } from '../testing/authority.ts';
import { nodeTls } from '../tls/node-tls.ts';
import { EARLY_WAYS, startEarlyNode } from './early-answer.fixture.ts';
import { Engine } from './engine.ts';
import { startLane } from './lane.fixture.ts';
import { connectRawClient } from './raw-client.fixture.ts';
import { answering, ok } from './raw-node.fixture.ts';
import { ScriptedRouter, upstreamNode } from './scripted-router.fixture.ts';

const UPLOAD_BYTES = 1_000_000;
/** After this time the node has answered and closed: it waits 20 ms at most. */
const BUSY_MS = 120;
const PIECE = 'x'.repeat(20_000);

function keepBusy(): void {
  const endMs = performance.now() + BUSY_MS;
  while (performance.now() < endMs);
}

async function startEngine(t: TestContext, isTls: boolean) {
  const authority = isTls ? makeAuthority(t) : undefined;
  const node = await startEarlyNode(authority?.issue('node', ['127.0.0.1']));
  const router = new ScriptedRouter();
  router.nodes.push({ ...upstreamNode('n1', node.port), isTls });
  const engine = new Engine({
    router,
    ...(authority !== undefined && { nodeTls: nodeTls({ caFile: authority.caFile }) }),
  });
  t.after(async () => {
    await engine.close(0);
    node.close();
  });
  const { port } = await engine.listen({ host: '127.0.0.1', port: 0 });
  return { node, router, port };
}

for (const isTls of [false, true])
  test(`octets that ${isTls ? 'an https' : 'a'} node sent before it closed reach the client`, async (t) => {
    const { node, router, port } = await startEngine(t, isTls);
    const framings = [`Content-Length: ${UPLOAD_BYTES}`, 'Transfer-Encoding: chunked'];
    // A long answer cannot arrive completely while the engine does not read.
    for (const [way, whole] of Object.entries(EARLY_WAYS).filter(([way]) => way !== '/long'))
      for (const framing of framings)
        for (const version of framing.startsWith('T') ? ['1.1'] : ['1.1', '1.0']) {
          const label = `${way} ${framing} HTTP/${version}`;
          const isChunked = framing.startsWith('T');
          const piece = isChunked ? `${PIECE.length.toString(16)}\r\n${PIECE}\r\n` : PIECE;
          router.reports.length = 0;
          const client = await connectRawClient(port);
          client.write(`POST ${way} HTTP/${version}\r\nHost: a\r\n${framing}\r\n\r\n`);
          await node.head();
          client.write(piece);
          keepBusy();
          client.write(piece);
          await client.until(() => client.isClosed || client.hasEnded || whole.test(client.received));
          assert.match(client.received, whole, label);
          client.close();
        }
  });

test('octets that a node sent when it closed an idle connection answer no request', async (t) => {
  const lane = await startLane([answering((target) => ok(`for ${target}`))], { keepAliveMs: 60_000 });
  t.after(() => lane.close());
  const client = await lane.connect();
  const ask = (target: string): Promise<string> =>
    client.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).sees(`for ${target}`);
  // After some requests one by one the engine writes at once, and does not read before it writes.
  for (let i = 0; i < 6; i++) await ask(`/${i}`);
  const { socket } = await lane.nodes[0]!.connection();
  client.received = '';
  // In one turn, so that the engine finds the request before the unexpected octets and the reset behind them.
  const answer = ask('/last');
  socket.write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n');
  socket.resetAndDestroy();
  assert.match(await answer, /^HTTP\/1\.1 200 /);
  assert.equal(lane.nodes[0]!.connections.length, 2);
});

for (const { ends, stalls } of [
  { ends: 'stops sending', stalls: false },
  { ends: 'has sent for as long as it may', stalls: true },
])
  test(`a client that reads its answer after its upload is not reset until it ${ends}`, async (t) => {
    let nowMs = 1_000;
    const answer = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge';
    const lane = await startLane([(connection) => connection.heads().then(() => connection.write(answer))], {
      now: () => nowMs,
      limits: { clientStallMs: 30_000 },
    });
    t.after(() => lane.close());
    const { engine } = lane;
    const client = await lane.connect();
    client.socket.pause();
    client.write('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n');
    await lane.reported('end n1 ok');
    let isReset = false;
    client.socket.on('error', () => {
      isReset = true;
    });
    for (let i = 0; i < 12; i++) {
      const { bytesIn } = engine.counters(0);
      client.write(PIECE);
      while (engine.counters(0).bytesIn < bytesIn + PIECE.length) await setImmediate();
      nowMs += 2_100;
      engine.checkDeadlines();
    }
    assert.equal(engine.counters(0).connections, 1);
    client.socket.resume();
    assert.match(await client.ended(), /^HTTP\/1\.1 413 [\s\S]*large$/);
    assert.equal(isReset, false);
    nowMs += stalls ? 30_000 : 2_100;
    if (stalls) client.write(PIECE);
    engine.checkDeadlines();
    assert.equal(engine.counters(0).connections, 0);
  });
