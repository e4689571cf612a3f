import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientConnection } from './client-connection.ts';
import { ClientSet } from './client-set.ts';
import { type ClientState, IllegalTransition, TRANSITIONS, transition } from './client-state.ts';
import type { ClientTunnel } from './ends.ts';
import { startLane } from './lane.fixture.ts';
import { answering, ok } from './raw-node.fixture.ts';
import { upstreamNode } from './scripted-router.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

const STATES = Object.keys(TRANSITIONS) as ClientState[];

/** One row for each state: `x` where the state of that column may follow. */
const TABLE = `
                 reading-head receiving-body answering waiting resuming tunnelling lingering closed
  reading-head         x            x            x        .       .         .          x        x
  receiving-body       x            .            x        x       .         .          x        x
  answering            x            .            .        x       x         x          x        x
  waiting              x            x            x        x       x         .          x        x
  resuming             x            .            .        .       .         .          x        x
  tunnelling           .            .            .        .       .         .          .        x
  lingering            .            .            .        .       .         .          .        x
  closed               .            .            .        .       .         .          .        .
`;

test('each transition is allowed or refused as in the table', () => {
  const [columns = [], ...rows] = TABLE.trim()
    .split('\n')
    .map((row) => row.trim().split(/ +/));
  assert.deepEqual([...columns].sort(), [...STATES].sort());
  assert.deepEqual(
    rows.map(([from]) => from),
    columns,
  );
  for (const [from, ...cells] of rows as [ClientState, ...string[]][])
    for (const [i, to] of (columns as ClientState[]).entries()) {
      if (cells[i] === 'x') assert.equal(transition(from, to), to);
      else assert.throws(() => transition(from, to), IllegalTransition, `${from} to ${to}`);
    }
});

test('an illegal transition names both states', () => {
  assert.throws(() => transition('closed', 'answering'), /cannot go from closed to answering/);
});

test('an illegal transition closes its connection with one log line, and other connections are served', async (t) => {
  const connections: ClientConnection[] = [];
  const { add } = ClientSet.prototype;
  t.mock.method(ClientSet.prototype, 'add', function (this: ClientSet<ClientConnection>, client: ClientConnection) {
    connections.push(client);
    add.call(this, client);
  });
  const lines: [fields: object, message: string][] = [];
  const log = { debug: () => {}, warn: (fields: object, message: string) => void lines.push([fields, message]) };
  await withLane(startLane([answering(() => ok())], { log }), async (lane) => {
    const [broken, other] = [await lane.connect(), await lane.connect()];
    const get = 'GET /a HTTP/1.1\r\nHost: shop.example\r\n\r\n';
    await broken.write(get).sees('\r\n\r\nok');
    await other.write(get).sees('\r\n\r\nok');
    const [client] = connections as [ClientConnection];
    const port = broken.socket.localPort;
    assert.equal(client.socket.remotePort, port);
    const closed: boolean[] = [];
    const tunnel: ClientTunnel = {
      node: upstreamNode('n1', 1),
      toNode: () => assert.fail('octets for the tunnel'),
      onClientDrained: () => {},
      onClientEnd: () => {},
      onClientClosed: (isOrderly) => closed.push(isOrderly),
      endBy: () => assert.fail('the end of the tunnel'),
      followDrain: () => assert.fail('the drain of its node'),
      close: () => assert.fail('the close of the tunnel'),
    };
    // No request is in progress, so there is nothing to upgrade.
    client.becomeTunnel(tunnel);
    await broken.ended();
    assert.deepEqual(closed, [false], 'the tunnel is released');
    assert.deepEqual(lines, [
      [
        { client: '127.0.0.1', from: 'reading-head', to: 'tunnelling' },
        'internal error: a client connection cannot go from reading-head to tunnelling; closing the connection',
      ],
    ]);
    other.received = '';
    await other.write(get).sees('\r\n\r\nok');
    assert.equal(lane.engine.counters(0).connections, 1);
  });
});
