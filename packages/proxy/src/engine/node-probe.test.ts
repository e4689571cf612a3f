import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAILURE } from './failure.ts';
import { startLane } from './lane.fixture.ts';
import type { ProbeQuestion } from './node-probe.ts';
import { answering, ok } from './raw-node.fixture.ts';
import { upstreamNode } from './scripted-router.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

const NONCE = '0123456789abcdef0123456789abcdef';

/** A probe whose outcome is a line. */
function ask(kind: ProbeQuestion['kind'] = 'options'): { question: ProbeQuestion; outcome: Promise<string> } {
  let tell: (line: string) => void = () => {};
  const outcome = new Promise<string>((resolve) => {
    tell = resolve;
  });
  return {
    outcome,
    question: {
      kind,
      path: '/ready?x=1',
      nonce: NONCE,
      version: '0.1.0',
      openMs: 30_000,
      onAnswer: (_connectedAtMs, proof) => tell(`answer ${proof}`),
      onConnected: () => tell('connected'),
      onFailure: (failure, wasPooled) => tell(`${failure.how}${wasPooled ? ', pooled' : ''}`),
    },
  };
}

test('a probe sends OPTIONS * with the name of the proxy and the nonce, and any status is an answer', () =>
  withLane(
    startLane([answering(() => 'HTTP/1.1 404 Not Found\r\nrollcall-proof: abc\r\nContent-Length: 0\r\n\r\n')]),
    async (lane) => {
      const { question, outcome } = ask();
      lane.engine.probeFresh(lane.router.nodes[0]!, question);
      assert.equal(await outcome, 'answer abc');
      const [connection] = lane.nodes[0]!.connections;
      const { port } = lane.nodes[0]!;
      assert.equal(
        connection!.received,
        `OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: rollcall-probe/0.1.0\r\nrollcall-probe: ${NONCE}\r\n\r\n`,
      );
      assert.deepEqual(lane.router.reports, [], 'a probe is no request of a client');
    },
  ));

test('a probe uses a pooled connection if there is one', () =>
  withLane(startLane([answering(() => ok())], { keepAliveMs: 60_000 }), async (lane) => {
    const node = lane.router.nodes[0]!;
    assert.equal(lane.engine.probePooled(node, ask().question), false);
    const client = await lane.connect();
    await client.write('GET /a HTTP/1.1\r\nHost: h\r\n\r\n').sees('\r\n\r\nok');
    const { question, outcome } = ask('head');
    assert.equal(lane.engine.probePooled(node, question), true);
    assert.equal(await outcome, 'answer ');
    assert.equal(lane.nodes[0]!.connections.length, 1);
    assert.ok(lane.nodes[0]!.connections[0]!.received.includes('HEAD /ready?x=1 HTTP/1.1\r\n'));
  }));

test('a pooled connection that the node closes during the probe is reported as pooled', () =>
  withLane(
    startLane(
      [
        (connection, number) => {
          let requests = 0;
          connection.socket.on('data', () => {
            if (number === 1 && ++requests === 1) connection.write(ok());
            else connection.socket.destroy();
          });
        },
      ],
      { keepAliveMs: 60_000 },
    ),
    async (lane) => {
      const node = lane.router.nodes[0]!;
      const client = await lane.connect();
      await client.write('GET /a HTTP/1.1\r\nHost: h\r\n\r\n').sees('\r\n\r\nok');
      const pooled = ask();
      lane.engine.probePooled(node, pooled.question);
      assert.equal(await pooled.outcome, `${FAILURE.closed.how}, pooled`);
      const fresh = ask();
      lane.engine.probeFresh(node, fresh.question);
      assert.equal(await fresh.outcome, FAILURE.closedUnused.how);
    },
  ));

test('a closed port refuses, and kind connect needs no answer', () =>
  withLane(startLane([() => {}]), async (lane) => {
    const { question, outcome } = ask('connect');
    lane.engine.probeFresh(lane.router.nodes[0]!, question);
    assert.equal(await outcome, 'connected');
    await (await lane.nodes[0]!.connection()).closed();
    assert.equal(lane.nodes[0]!.connections[0]!.received, '');
    const gone = upstreamNode('gone', lane.nodes[0]!.port);
    await lane.nodes[0]!.close();
    const refused = ask();
    lane.engine.probeFresh(gone, refused.question);
    assert.equal(await refused.outcome, FAILURE.refused.how);
  }));
