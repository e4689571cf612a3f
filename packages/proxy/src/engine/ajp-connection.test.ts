import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '@rollcall/core/testing';
import { bodyRequest, chunkPacket, endPacket, headPacket, PING, PONG, packet } from '../testing/ajp-node.ts';
import { AjpPeer } from './ajp-peer.fixture.ts';
import type { EngineOptions } from './engine.ts';
import { type Lane, startLane } from './lane.fixture.ts';
import type { ProbeQuestion } from './node-probe.ts';
import type { RawClient } from './raw-client.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

const HOST = 'Host: shop.test\r\n';
const GET = `GET /a HTTP/1.1\r\n${HOST}\r\n`;
const LENGTH_2 = ['Content-Length', '2'] as const;

interface AjpLane extends Lane {
  /** The connection with that number at the node with that number, both counted from 1. */
  peer(number?: number, node?: number): Promise<AjpPeer>;
}

/** Runs a test with an engine in front of `nodes` nodes that do nothing by themselves. */
function withAjp(
  run: (lane: AjpLane, client: RawClient) => Promise<void>,
  { nodes = 1, ...options }: Partial<EngineOptions> & { readonly nodes?: number } = {},
): Promise<void> {
  const lane = startLane(
    Array.from({ length: nodes }, () => () => {}),
    { ...options, isAjp: true },
  );
  return withLane(lane, async (started) => {
    const peer = async (number = 1, node = 1): Promise<AjpPeer> =>
      new AjpPeer(await started.nodes[node - 1]!.connection(number));
    await run({ ...started, peer }, await started.connect());
  });
}

function answer(body = 'ok'): Buffer {
  return Buffer.concat([headPacket(200, [['Content-Length', String(body.length)]]), chunkPacket(body), endPacket()]);
}

/** The client gets the whole answer `body` as its answer number `count`. */
async function sees(client: RawClient, body: string, count = 1): Promise<void> {
  await client.until(() => client.received.split(body).length > count || client.isClosed);
  assert.equal(client.received.split(`\r\n\r\n${body}`).length, count + 1, client.received);
}

/** An engine's clock under the test's control. */
function manualNow(): { readonly now: () => number; readonly pass: (lane: Lane, ms: number) => void } {
  const clock = new ManualClock();
  return {
    now: () => clock.nowMs(),
    pass: ({ engine }, ms) => {
      clock.advance(ms);
      engine.checkDeadlines();
    },
  };
}

test('a request and its answer; the next one on the connection is preceded by CPING', () =>
  withAjp(
    async (lane, client) => {
      client.write(`GET /a?b=c HTTP/1.1\r\n${HOST}X-Own: v\r\nAJP_REMOTE_PORT: 1\r\nremote_user: root\r\n\r\n`);
      const peer = await lane.peer();
      const request = await peer.request();
      assert.deepEqual(
        [request.method, request.uri, request.remoteAddress, request.server, request.port, request.isSsl],
        ['GET', '/a', '127.0.0.1', 'shop.test', 80, false],
      );
      assert.deepEqual(request.attributes, { query_string: 'b=c', jvm_route: 'n1', secret: 'hidden' });
      const fields = Object.fromEntries(request.fields);
      assert.deepEqual(
        [fields['X-Own'], fields['AJP_REMOTE_PORT'], fields['remote_user'], fields['X-Forwarded-For']],
        ['v', '1', 'root', '127.0.0.1'],
      );
      peer.send(
        headPacket(200, [
          [0xa001, 'text/plain'],
          [0xa003, '2'],
          ['X-Node', 'n'],
        ]),
        chunkPacket('ok'),
        endPacket(),
      );
      await sees(client, 'ok');
      assert.match(
        client.received,
        /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/plain\r\nX-Node: n\r\nContent-Length: 2\r\n/,
      );
      client.write(GET);
      assert.deepEqual(await peer.packet(), PING);
      assert.equal(peer.hasMore, false, 'the request waits for CPONG');
      peer.send(PONG);
      assert.equal((await peer.request()).uri, '/a');
      peer.send(answer());
      await sees(client, 'ok', 2);
      assert.equal(lane.nodes[0]!.connections.length, 1);
      assert.deepEqual(lane.router.reports, [
        'send n1',
        'head n1 200',
        'end n1 ok',
        'send n1',
        'head n1 200',
        'end n1 ok',
      ]);
    },
    { ajp: { secret: () => 'hidden' } },
  ));

test('an answer without a length ends with END_RESPONSE, in one segment or in many', () =>
  withAjp(async (lane, client) => {
    client.write(GET);
    const peer = await lane.peer();
    await peer.request();
    for (const octet of Buffer.concat([headPacket(200), chunkPacket('hel'), chunkPacket(''), chunkPacket('lo', '')]))
      peer.send(Buffer.from([octet]));
    await client.sees('lo\r\n');
    assert.ok(!client.received.includes('\r\n0\r\n'));
    peer.send(endPacket());
    await client.sees('0\r\n\r\n');
    const body = client.received.slice(client.received.indexOf('\r\n\r\n') + 4);
    assert.equal(body.replace(/[0-9a-f]+\r\n|\r\n/g, ''), 'hello');
    assert.match(client.received, /\r\nTransfer-Encoding: chunked\r\n/);
  }));

test('a body with a length: its first part is sent unasked, and its end when the node asks for more', () =>
  withAjp(async (lane, client) => {
    client.write(`POST /a HTTP/1.1\r\n${HOST}Content-Length: 20000\r\n\r\n${'x'.repeat(20_000)}`);
    const peer = await lane.peer();
    await peer.request();
    let length = (await peer.body()).length;
    assert.ok(length > 0 && length <= 8_186);
    for (let sent = 0; length < 20_000; length += sent) {
      peer.send(bodyRequest(5_000));
      sent = (await peer.body()).length;
      assert.ok(sent > 0 && sent <= 5_000);
    }
    peer.send(bodyRequest(8_186));
    assert.equal(await peer.body(), '');
    peer.send(answer());
    await sees(client, 'ok');
  }));

test('a body in chunks is sent when the node asks for it, without its framing', () =>
  withAjp(async (lane, client) => {
    client.write(`POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n`);
    const peer = await lane.peer();
    const { fields } = await peer.request();
    assert.equal(Object.fromEntries(fields)['Transfer-Encoding'], 'chunked');
    peer.send(bodyRequest(100));
    let body = await peer.body();
    while (body.length < 11) {
      peer.send(bodyRequest(100));
      body += await peer.body();
    }
    assert.equal(body, 'hello world');
    peer.send(bodyRequest(100));
    client.write('1\r\n!\r\n0\r\n\r\n');
    assert.equal(await peer.body(), '!');
    peer.send(bodyRequest(100));
    assert.equal(await peer.body(), '');
    peer.send(answer());
    await sees(client, 'ok');
  }));

test('a node that asks for the body of a request without one gets its end', () =>
  withAjp(async (lane, client) => {
    client.write(GET);
    const peer = await lane.peer();
    await peer.request();
    peer.send(bodyRequest(100));
    assert.equal(await peer.body(), '');
    peer.send(answer());
    await sees(client, 'ok');
  }));

test('a client that waits for 100 gets it when the node wants the body', () =>
  withAjp(async (lane, client) => {
    client.write(`POST /a HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const peer = await lane.peer();
    await peer.request();
    assert.equal(client.received, '');
    peer.send(bodyRequest(100));
    await client.sees('HTTP/1.1 100 Continue\r\n\r\n');
    client.write('2\r\nab\r\n0\r\n\r\n');
    assert.equal(await peer.body(), 'ab');
    peer.send(answer());
    await sees(client, 'ok');
  }));

test('an upload that the node does not read stops the client, and resumes later', () =>
  withAjp(async (lane, client) => {
    const total = 3 * 1_048_576;
    client.write(`POST /a HTTP/1.1\r\n${HOST}Content-Length: ${total}\r\n\r\n`);
    client.write('x'.repeat(total));
    const peer = await lane.peer();
    await peer.request();
    let length = (await peer.body()).length;
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(lane.engine.counters(0).bytesIn < 1_048_576, `${lane.engine.counters(0).bytesIn} octets were read`);
    while (length < total) {
      peer.send(bodyRequest(8_186));
      length += (await peer.body()).length;
    }
    peer.send(answer());
    await sees(client, 'ok');
  }));

test('a download that the client does not read stops the node, and resumes later', () =>
  withAjp(async (lane, client) => {
    const piece = 'x'.repeat(8_000);
    client.write(GET);
    const peer = await lane.peer();
    await peer.request();
    client.socket.pause();
    const count = 4_000;
    peer.send(headPacket(200, [['Content-Length', String(piece.length * count)]]));
    const { socket } = lane.nodes[0]!.connections[0]!;
    for (let i = 0; i < count; i++) socket.write(chunkPacket(piece));
    // In a segment of its own, behind octets that the client does not read.
    socket.write(Buffer.alloc(0), () => socket.write(endPacket()));
    for (let last = -1; last !== lane.router.nodes[0]!.counters.bytesFromNode; ) {
      last = lane.router.nodes[0]!.counters.bytesFromNode;
      for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(lane.router.nodes[0]!.counters.bytesFromNode < 16 * 1_048_576);
    client.socket.resume();
    await client.until(() => client.received.length > piece.length * count);
    await lane.reported('end n1 ok');
    client.write(GET);
    assert.deepEqual(await peer.packet(), PING);
  }));

test('answers without a body end with their head, and the connection is used again', () =>
  withAjp(async (lane, client) => {
    client.write(`HEAD /a HTTP/1.1\r\n${HOST}\r\n`);
    const peer = await lane.peer();
    await peer.request();
    peer.send(headPacket(200, [['Content-Length', '5']]), endPacket());
    await client.sees('Content-Length: 5\r\n');
    for (const status of [204, 304]) {
      client.write(GET);
      assert.deepEqual(await peer.packet(), PING);
      peer.send(PONG);
      await peer.request();
      peer.send(headPacket(status), endPacket());
      await client.sees(`HTTP/1.1 ${status} `);
    }
    assert.equal(lane.nodes[0]!.connections.length, 1);
  }));

test('octets beyond the length, or of an answer without a body, close the connection and reach no client', () =>
  withAjp(async (lane, client) => {
    client.write(`HEAD /a HTTP/1.1\r\n${HOST}\r\n`);
    const first = await lane.peer();
    await first.request();
    first.send(headPacket(200), chunkPacket('body'), endPacket());
    await client.sees('\r\n\r\n');
    await first.closed();
    client.write(GET);
    const second = await lane.peer(2);
    await second.request();
    second.send(headPacket(200, [LENGTH_2]), chunkPacket('ok and more'), endPacket());
    await sees(client, 'ok');
    await second.closed();
    client.write(GET);
    await (await lane.peer(3)).request();
    assert.ok(!client.received.includes('more'));
  }));

test('a connection that the node does not keep is not used again', () =>
  withAjp(async (lane, client) => {
    client.write(GET);
    const peer = await lane.peer();
    await peer.request();
    peer.send(headPacket(200, [LENGTH_2]), chunkPacket('ok'), endPacket(false));
    await sees(client, 'ok');
    await peer.closed();
  }));

test('the client has the whole answer before the node ends it, and the connection is used only after that', () =>
  withAjp(async (lane, client) => {
    client.write(GET);
    const first = await lane.peer();
    await first.request();
    first.send(headPacket(200, [LENGTH_2]), chunkPacket('ok'));
    await sees(client, 'ok');
    client.write(GET);
    const second = await lane.peer(2);
    await second.request();
    first.send(endPacket());
    second.send(answer());
    await sees(client, 'ok', 2);
    client.write(GET);
    const asked = await Promise.race([first.packet().then(() => first), second.packet().then(() => second)]);
    asked.send(PONG);
    await asked.request();
    assert.equal(lane.nodes[0]!.connections.length, 2);
  }));

test('an answer before the first part of the body closes the connection', () =>
  withAjp(async (lane, client) => {
    client.write(`POST /a HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\n`);
    const peer = await lane.peer();
    await peer.request();
    peer.send(headPacket(413, [LENGTH_2]), chunkPacket('no'), endPacket());
    await sees(client, 'no');
    assert.match(client.received, /\r\nConnection: close\r\n/);
    await peer.closed();
  }));

test('an answer before the end of a body that the node does not ask for keeps the connection to the node', () =>
  withAjp(async (lane, client) => {
    client.write(`POST /a HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nab`);
    const peer = await lane.peer();
    await peer.request();
    assert.equal(await peer.body(), 'ab');
    peer.send(headPacket(409, [LENGTH_2]), chunkPacket('no'), endPacket());
    await sees(client, 'no');
    const other = await lane.connect();
    other.write(GET);
    assert.deepEqual(await peer.packet(), PING);
    peer.send(PONG);
    await peer.request();
  }));

test('an interim answer is forwarded, and a switch of protocols is a failure', () =>
  withAjp(async (lane, client) => {
    client.write(GET);
    const peer = await lane.peer();
    await peer.request();
    peer.send(headPacket(103, [['Link', '</a.css>']], 'Early Hints'));
    await client.sees('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n');
    peer.send(headPacket(101));
    await client.sees('HTTP/1.1 502 ');
    await peer.closed();
  }));

// ---- a node that breaks the rules

const WRONG: readonly (readonly [name: string, packets: readonly Buffer[]])[] = [
  ['octets that are not AJP', [Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')]],
  ['a wrong second octet', [Buffer.from('AC\0\x02\x05\x01')]],
  ['a body before the head', [chunkPacket('ok')]],
  ['an end before the head', [endPacket()]],
  ['an unasked CPONG', [PONG]],
  ['a request for no octets', [bodyRequest(0)]],
  ['an unknown packet', [packet(Buffer.from([77, 1]))]],
  ['a head without its fields', [packet(Buffer.from([4, 0, 200, 0, 0, 0, 0, 5]))]],
  ['a field with a line end', [headPacket(200, [['a', 'b\r\nSet-Cookie: c=d']])]],
  ['two lengths', [headPacket(200, [LENGTH_2, LENGTH_2])]],
  ['a chunk longer than its packet', [packet(Buffer.from([3, 255, 255, 1]))]],
  ['a head larger than the bounds', [headPacket(200, [['a', 'x'.repeat(40_000)]])]],
];
for (const [name, packets] of WRONG)
  test(`502 and the end of this connection only: ${name}`, () =>
    withAjp(async (lane, client) => {
      const other = await lane.connect();
      other.write(GET);
      const good = await lane.peer();
      await good.request();
      client.write(GET);
      const peer = await lane.peer(2);
      await peer.request();
      peer.send(...packets);
      await client.sees('HTTP/1.1 502 ');
      await peer.closed();
      good.send(answer());
      await sees(other, 'ok');
      assert.ok(!lane.router.reports.some((line) => line.startsWith('again')), 'it is not repeated');
    }));

const WRONG_WITHIN: readonly (readonly [name: string, packets: readonly Buffer[]])[] = [
  ['a second head', [headPacket(200)]],
  ['an end before the length is reached', [endPacket()]],
  ['octets that are not AJP', [Buffer.from('xyz')]],
  ['CPONG', [PONG]],
];
for (const [name, packets] of WRONG_WITHIN)
  test(`the answer is cut: ${name}`, () =>
    withAjp(async (lane, client) => {
      client.write(GET);
      const peer = await lane.peer();
      await peer.request();
      peer.send(headPacket(200, [['Content-Length', '10']]), chunkPacket('half'));
      await client.sees('half');
      peer.send(...packets);
      assert.ok(!(await client.ended()).includes('502'));
      await peer.closed();
      await lane.reported('end n1 failed: answer broke off');
    }));

test('a connection that is reset within an answer cuts it', () =>
  withAjp(async (lane, client) => {
    client.write(GET);
    const peer = await lane.peer();
    await peer.request();
    peer.send(headPacket(200, [['Content-Length', '10']]), chunkPacket('half'));
    await client.sees('half');
    peer.reset();
    await client.ended();
    await lane.reported('end n1 failed: answer broke off');
  }));

test('octets on an idle connection close it', () =>
  withAjp(async (lane, client) => {
    client.write(GET);
    const peer = await lane.peer();
    await peer.request();
    peer.send(answer());
    await sees(client, 'ok');
    peer.send(PONG);
    await peer.closed();
  }));

// ---- failures before the answer

test('a fresh connection that closes: GET goes to another node, POST does not', () =>
  withAjp(
    async (lane, client) => {
      client.write(GET);
      const first = await lane.peer();
      await first.request();
      first.end();
      const second = await lane.peer(1, 2);
      await second.request();
      second.send(answer());
      await sees(client, 'ok');
      client.write(`POST /a HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\nx`);
      const third = await lane.peer(2);
      await third.request();
      third.end();
      await client.sees('HTTP/1.1 502 ');
    },
    { nodes: 2 },
  ));

for (const how of ['end', 'reset'] as const)
  test(`an idle connection that the node closes (${how}) while it is asked: a POST goes to a fresh one of the same node`, () =>
    withAjp(
      async (lane, client) => {
        client.write(GET);
        const first = await lane.peer();
        await first.request();
        first.send(answer());
        await sees(client, 'ok');
        client.write(`POST /a HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`);
        assert.deepEqual(await first.packet(), PING);
        first[how]();
        const second = await lane.peer(2);
        assert.equal((await second.request()).method, 'POST');
        assert.equal(await second.body(), 'abc');
        second.send(answer());
        await sees(client, 'ok', 2);
        assert.equal(lane.nodes[1]!.connections.length, 0);
      },
      { nodes: 2 },
    ));

test('a POST uses a connection that was idle for longer than one over HTTP may be', () => {
  const { now, pass } = manualNow();
  return withAjp(
    async (lane, client) => {
      client.write(GET);
      const peer = await lane.peer();
      await peer.request();
      peer.send(answer());
      await sees(client, 'ok');
      pass(lane, 900);
      client.write(`POST /a HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`);
      assert.deepEqual(await peer.packet(), PING);
      peer.send(PONG);
      assert.equal((await peer.request()).method, 'POST');
      assert.equal(await peer.body(), 'abc');
      assert.equal(lane.nodes[0]!.connections.length, 1);
    },
    { now },
  );
});

test('an idle connection that does not answer CPING is replaced, and the whole body arrives', () => {
  const { now, pass } = manualNow();
  return withAjp(
    async (lane, client) => {
      client.write(GET);
      const first = await lane.peer();
      await first.request();
      first.send(answer());
      await sees(client, 'ok');
      const total = 300_000;
      client.write(`POST /a HTTP/1.1\r\n${HOST}Content-Length: ${total}\r\n\r\n${'x'.repeat(total)}`);
      assert.deepEqual(await first.packet(), PING);
      pass(lane, 1_001);
      const second = await lane.peer(2);
      await second.request();
      let length = (await second.body()).length;
      while (length < total) {
        second.send(bodyRequest(8_186));
        length += (await second.body()).length;
      }
      second.send(answer());
      await sees(client, 'ok', 2);
    },
    { now },
  );
});

test('a node that does not answer is 504 after the time limit, and its silence within an answer ends it', () => {
  const { now, pass } = manualNow();
  return withAjp(
    async (lane, client) => {
      client.write(GET);
      await (await lane.peer()).request();
      pass(lane, 29_000);
      assert.equal(client.received, '');
      pass(lane, 1_001);
      await client.sees('HTTP/1.1 504 ');
      client.write(GET);
      const peer = await lane.peer(2);
      await peer.request();
      peer.send(headPacket(200), chunkPacket('a'));
      await client.sees('a\r\n');
      pass(lane, 60_001);
      await client.ended();
      await lane.reported('end n1 client: answer silent beyond our idle bound');
    },
    { now },
  );
});

test('a client that leaves closes the connection to the node', () =>
  withAjp(async (lane, client) => {
    client.write(GET);
    const peer = await lane.peer();
    await peer.request();
    client.close();
    await peer.closed();
  }));

// ---- what AJP cannot do

test('a head that does not fit into a packet is 431, and a WebSocket is 501', () =>
  withAjp(async (lane, client) => {
    client.write(`GET /a HTTP/1.1\r\n${HOST}X-Long: ${'x'.repeat(9_000)}\r\n\r\n`);
    await client.sees('HTTP/1.1 431 ');
    const upgrade =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AA==\r\n';
    client.write(`GET /a HTTP/1.1\r\n${HOST}${upgrade}\r\n`);
    await client.sees('HTTP/1.1 501 ');
    client.write(GET);
    for (let number = 1; ; number++) {
      const peer = await lane.peer(number);
      if (await Promise.race([peer.closed().then(() => false), peer.request().then(() => true)])) break;
    }
    assert.deepEqual(
      lane.router.reports.filter((line) => line.startsWith('end')),
      ['end n1 client: request head larger than an AJP packet', 'end n1 client: AJP carries no WebSocket'],
    );
  }));

test('a node that requires another secret is reported once', () => {
  const lines: string[] = [];
  const log = { debug: () => {}, warn: (_: object, line: string) => lines.push(line) };
  return withAjp(
    async (lane, client) => {
      for (const number of [1, 2]) {
        client.write(GET);
        const peer = await lane.peer(number);
        await peer.request();
        peer.send(headPacket(403, [LENGTH_2]), chunkPacket('no'), endPacket(false));
        await sees(client, 'no', number);
      }
      assert.equal(lines.filter((line) => line.includes('--ajp-secret-file')).length, 1);
    },
    { log },
  );
});

// ---- probes

function question(tell: (line: string) => void): ProbeQuestion {
  return {
    kind: 'options',
    path: '/',
    nonce: '0'.repeat(32),
    version: '0.1.0',
    openMs: 30_000,
    onAnswer: (_, proof) => tell(`answer ${proof}`),
    onConnected: () => tell('connected'),
    onFailure: (failure, wasPooled) => tell(`${failure.how}${wasPooled ? ', pooled' : ''}`),
  };
}

test('a probe is CPING, on a fresh connection and on a pooled one', () =>
  withAjp(async (lane) => {
    const [node] = lane.router.nodes;
    const fresh = new Promise<string>((resolve) => lane.engine.probeFresh(node!, question(resolve)));
    const peer = await lane.peer();
    assert.deepEqual(await peer.packet(), PING);
    peer.send(PONG);
    assert.equal(await fresh, 'answer ');
    const pooled = new Promise<string>((resolve) => lane.engine.probePooled(node!, question(resolve)));
    assert.deepEqual(await peer.packet(), PING);
    peer.send(PONG);
    assert.equal(await pooled, 'answer ');
    const lost = new Promise<string>((resolve) => lane.engine.probePooled(node!, question(resolve)));
    assert.deepEqual(await peer.packet(), PING);
    peer.end();
    assert.equal(await lost, 'connection closed before the answer, pooled');
    const other = new Promise<string>((resolve) => lane.engine.probeFresh(node!, question(resolve)));
    const http = await lane.peer(2);
    assert.deepEqual(await http.packet(), PING);
    http.send(Buffer.from('HTTP/1.1 400 \r\n\r\n'));
    assert.equal(await other, 'answer is not HTTP');
    assert.equal(lane.nodes[0]!.connections.length, 2);
  }));
