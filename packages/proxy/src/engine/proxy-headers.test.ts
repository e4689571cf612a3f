/** Listeners with the PROXY protocol, with real sockets: the plain port and the TLS port. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { REFUSALS } from '@rollcall/feed';
import { makeAuthority } from '../testing/authority.ts';
import { Certificates } from '../tls/certificates.ts';
import type { EngineOptions } from './engine.ts';
import { startLane } from './lane.fixture.ts';
import { RawClient } from './raw-client.fixture.ts';
import { answering, ok } from './raw-node.fixture.ts';

const V1 = 'PROXY TCP4 203.0.113.7 198.51.100.1 56324 443\r\n';
const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';
const V2 = `${SIGNATURE}\x21\x11\0\x0c\xcb\0\x71\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb`;
const V2_TLV = `${SIGNATURE}\x21\x11\0\x14\xcb\0\x71\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb\x04\0\x05\0\0\0\0\0`;
const V2_IPV6 = `${SIGNATURE}\x21\x21\0\x24\x20\x01\x0d\xb8${'\0'.repeat(11)}\x07\xfd${'\0'.repeat(15)}\xdc\x04\x01\xbb`;
const LOCAL = `${SIGNATURE}\x20\0\0\0`;
const UNKNOWN = 'PROXY UNKNOWN\r\n';
const REQUEST = 'GET /a HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n';

interface Said {
  readonly clients: string[];
  readonly lines: string[];
  readonly fields: object[];
}

/** An engine whose ports use the PROXY protocol; 127.0.0.1 is a trusted front. */
async function start(t: TestContext, options: Partial<EngineOptions> = {}, serve = answering(() => ok())) {
  const said: Said = { clients: [], lines: [], fields: [] };
  const authority = makeAuthority(t);
  const files = authority.issue('site', ['shop.example']);
  const log = {
    debug: () => {},
    info: () => {},
    warn: (fields: object, line: string) => {
      said.lines.push(line);
      said.fields.push(fields);
    },
  };
  const certificates = new Certificates({
    files: [files],
    ticketKeys: Buffer.alloc(48, 1),
    log,
    nowUnixMs: Date.now,
  });
  t.after(() => certificates.close());
  const lane = await startLane([serve], {
    certificates,
    trustedProxies: ['127.0.0.1'],
    proxyProtocol: ['proxy', 'tls'],
    onAccess: ({ client }) => said.clients.push(client),
    log,
    ...options,
  });
  t.after(() => lane.close());
  const { port: tlsPort } = await lane.engine.listenTls({ host: '127.0.0.1', port: 0 });
  const connect = async (port = lane.port, localAddress = '127.0.0.1'): Promise<RawClient> => {
    const socket = net.connect({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true, noDelay: true });
    const client = new RawClient(socket);
    t.after(() => client.close());
    await once(socket, 'connect');
    return client;
  };
  const refused = () => lane.engine.counters(0).proxyHeaderRefusals;
  return { ...lane, ...said, ca: authority.ca, tlsPort, connect, refused };
}

/** `X-Forwarded-For` of the last request that the node has received. */
function forwardedFor({ nodes }: Awaited<ReturnType<typeof start>>): string | undefined {
  const all = nodes[0]!.connections.map(({ received }) => received).join('');
  return [...all.matchAll(/X-Forwarded-For: (.*)\r\n/g)].at(-1)?.[1];
}

const HEADERS: readonly (readonly [name: string, header: string, client: string, chain: string])[] = [
  ['version 1', V1, '203.0.113.7', '203.0.113.7'],
  ['version 2', V2, '203.0.113.7', '203.0.113.7'],
  ['version 2 with a TLV', V2_TLV, '203.0.113.7', '203.0.113.7'],
  ['version 2 with IPv6', V2_IPV6, '2001:db8::7', '2001:db8::7'],
  // The front speaks for itself: its fields count.
  ['LOCAL', LOCAL, '6.6.6.6', '6.6.6.6, 127.0.0.1'],
  ['UNKNOWN', UNKNOWN, '6.6.6.6', '6.6.6.6, 127.0.0.1'],
];

for (const [name, header, client, chain] of HEADERS)
  test(`${name} names the client, in one packet with the request and cut anywhere`, async (t) => {
    const lane = await start(t);
    const whole = header + REQUEST;
    for (let cut = 0; cut <= header.length + 3; cut++) {
      const front = await lane.connect();
      front.write(whole.slice(0, cut));
      // The engine reads the first part alone.
      await new Promise((resolve) => setImmediate(resolve));
      assert.match(await front.write(whole.slice(cut)).sees('ok'), /^HTTP\/1\.1 200 /, `cut at ${cut}`);
      assert.equal(forwardedFor(lane), chain);
      assert.equal(lane.clients.at(-1), client);
      front.close();
    }
    assert.equal(lane.refused(), 0);
  });

test('a header, requests and a body that come octet by octet are read, on one kept connection', async (t) => {
  const lane = await start(t);
  const front = await lane.connect();
  const body = `POST /b HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\n\r\nhello`;
  for (const octet of V2_TLV + REQUEST + body) {
    front.write(octet);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await front.until(() => front.received.split('HTTP/1.1 200').length === 3);
  assert.deepEqual(lane.clients, ['203.0.113.7', '203.0.113.7']);
});

test('a long body behind the header in the same packets arrives unchanged', async (t) => {
  const length = 3_000_000;
  const lane = await start(t, {}, async (connection) => {
    await connection.until(() => connection.received.length > length);
    connection.write(ok());
  });
  const front = await lane.connect();
  const body = Array.from({ length: length / 10 }, (_, i) => `${i}`.padStart(10, '.')).join('');
  front.write(`${V1}POST /b HTTP/1.1\r\nHost: shop.example\r\nContent-Length: ${length}\r\n\r\n${body}`);
  await front.sees('ok');
  assert.ok(lane.nodes[0]!.connections[0]!.received.endsWith(body));
});

test('a client that has closed its side behind the request gets its answer', async (t) => {
  const lane = await start(t);
  const front = await lane.connect();
  front.socket.end(V1 + REQUEST, 'latin1');
  assert.match(await front.ended(), /^HTTP\/1\.1 200 /);
});

/** A TLS client behind `header`, which is sent in the pieces that `cut` makes of it and of the first octets of the handshake. */
async function connectTls(
  t: TestContext,
  lane: Awaited<ReturnType<typeof start>>,
  header: string,
  pieces: (octets: Buffer) => readonly Buffer[],
): Promise<tls.TLSSocket> {
  const raw = net.connect({ host: '127.0.0.1', port: lane.tlsPort, noDelay: true });
  t.after(() => raw.destroy());
  await once(raw, 'connect');
  // The first write of the handshake is joined with the header.
  const write = raw.write.bind(raw);
  const relay = net.createServer();
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  t.after(() => relay.close());
  const inner = once(relay, 'connection') as Promise<[net.Socket]>;
  const socket = tls.connect({
    host: '127.0.0.1',
    port: (relay.address() as net.AddressInfo).port,
    servername: 'shop.example',
    ca: lane.ca,
  });
  t.after(() => socket.destroy());
  const [relayed] = await inner;
  relayed.on('error', () => {});
  raw.on('error', () => relayed.destroy());
  raw.on('data', (octets) => relayed.write(octets));
  raw.on('close', () => relayed.destroy());
  relayed.on('close', () => raw.destroy());
  const [hello] = (await once(relayed, 'data')) as [Buffer];
  for (const piece of pieces(Buffer.concat([Buffer.from(header, 'latin1'), hello]))) {
    write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  relayed.on('data', (octets) => write(octets));
  await once(socket, 'secureConnect');
  return socket;
}

for (const [name, header, client] of HEADERS)
  test(`${name} names the client of the TLS port, whole, cut within and octet by octet`, async (t) => {
    const lane = await start(t);
    const { length } = header;
    const ways: readonly ((octets: Buffer) => readonly Buffer[])[] = [
      (octets) => [octets],
      (octets) => [octets.subarray(0, length), octets.subarray(length)],
      (octets) => [octets.subarray(0, length - 3), octets.subarray(length - 3)],
      (octets) => [octets.subarray(0, length + 3), octets.subarray(length + 3)],
      (octets) => Array.from(octets, (octet) => Buffer.from([octet])),
    ];
    for (const way of ways) {
      const socket = await connectTls(t, lane, header, way);
      socket.write(REQUEST);
      assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200 /);
      assert.equal(lane.clients.at(-1), client);
      assert.match(lane.nodes[0]!.connections.at(-1)!.received, /X-Forwarded-Proto: https/);
      socket.destroy();
    }
    while (lane.engine.admitted > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(lane.refused(), 0);
  });

test('the limit of connections counts clients, not the front', async (t) => {
  const lane = await start(t, { limits: { maxConnections: 100, maxConnectionsPerAddress: 2 } });
  const from = async (address: string): Promise<RawClient> =>
    (await lane.connect()).write(`PROXY TCP4 ${address} 198.51.100.1 1 2\r\n${REQUEST}`);
  for (const address of ['203.0.113.1', '203.0.113.1', '203.0.113.2']) await (await from(address)).sees('ok');
  assert.equal(await (await from('203.0.113.1')).ended(), '');
  assert.equal(lane.engine.counters(0).refusals[REFUSALS.indexOf('connections-per-address')], 1);
  assert.equal(lane.engine.admitted, 3);
});

for (const listener of ['proxy', 'tls'] as const) {
  test(`--${listener}: another peer is closed unread, with one line that names the remedy`, async (t) => {
    const lane = await start(t);
    const port = listener === 'tls' ? lane.tlsPort : lane.port;
    for (let count = 1; count <= 3; count++) {
      const client = await lane.connect(port, '127.0.0.2');
      assert.equal(await client.write(V1 + REQUEST).ended(), '');
      assert.equal(lane.refused(), count);
    }
    assert.deepEqual(lane.lines, [
      `connection from 127.0.0.2 to --${listener} closed: the peer is no trusted proxy; add it to --trusted-proxy, or remove ${listener} from --proxy-protocol`,
    ]);
    assert.equal(lane.engine.admitted, 0);
  });

  test(`--${listener}: a trusted proxy without a good header is closed and counted`, async (t) => {
    const lane = await start(t);
    const bad = [
      REQUEST,
      '\x16\x03\x01\x02\0',
      'PROXY TCP4 1.1.1.1\r\n',
      `${SIGNATURE}\x21\x11\xff\xff`,
      `PROXY ${'x'.repeat(110)}`,
    ];
    for (const [at, octets] of bad.entries()) {
      const client = await lane.connect(listener === 'tls' ? lane.tlsPort : lane.port);
      assert.equal(await client.write(octets).ended(), '');
      assert.equal(lane.refused(), at + 1);
    }
    assert.equal(new Set(lane.lines).size, 4, 'one line for each cause');
    for (const line of lane.lines)
      assert.match(line, /^connection from trusted proxy 127\.0\.0\.1 to --\w+ closed: .*send-proxy-v2[^\n]*$/);
    // An end within the header counts; a probe by connect alone does not.
    for (const [octets, count] of [
      [V1.slice(0, 20), 6],
      ['', 6],
    ] as const) {
      const client = await lane.connect(listener === 'tls' ? lane.tlsPort : lane.port);
      client.socket.end(octets, 'latin1');
      await client.closed();
      assert.equal(lane.refused(), count);
    }
    assert.equal(lane.engine.admitted, 0);
  });

  for (const [sent, why] of [
    ['', 'no PROXY header within header-timeout 1s'],
    [V1.slice(0, 20), 'the PROXY header is not complete within header-timeout 1s'],
    [V2.slice(0, 13), 'the PROXY header is not complete within header-timeout 1s'],
  ] as const)
    test(`--${listener}: after ${sent.length} octets of a header the time for a head ends the connection: ${why}`, async (t) => {
      let nowMs = 0;
      const lane = await start(t, { now: () => nowMs, limits: { headerTimeoutMs: 1_000 } });
      const client = await lane.connect(listener === 'tls' ? lane.tlsPort : lane.port);
      client.write(sent);
      while (lane.engine.admitted === 0) await new Promise((resolve) => setImmediate(resolve));
      // The engine reads what was sent.
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      nowMs = 1_001;
      lane.engine.checkDeadlines();
      assert.equal(await client.ended(), '');
      assert.equal(lane.engine.counters(0).refusals[REFUSALS.indexOf('header-timeout')], 0);
      assert.equal(lane.refused(), 1);
      assert.match(lane.lines[0]!, new RegExp(`closed: ${why}; let the proxy send one`));
      assert.equal(lane.engine.admitted, 0);
    });
}

test('each cause of refusals has a line of its own, and the next one counts what came between', async (t) => {
  let nowMs = 0;
  const lane = await start(t, { now: () => nowMs });
  for (const atMs of [0, 5_000, 9_999, 10_000]) {
    nowMs = atMs;
    await (await lane.connect(lane.port, '127.0.0.2')).ended();
    await (await lane.connect()).write(REQUEST).ended();
  }
  assert.deepEqual(
    lane.lines.map((line) => line.split(' closed')[0]),
    Array.from({ length: 2 }, () => [
      'connection from 127.0.0.2 to --proxy',
      'connection from trusted proxy 127.0.0.1 to --proxy',
    ]).flat(),
  );
  assert.deepEqual(lane.fields, [{}, {}, { unlogged: 2 }, { unlogged: 2 }]);
  assert.deepEqual(
    lane.lines.map((line) => line.endsWith('; 2 more were not logged')),
    [false, false, true, true],
  );
});

test('a listener without the protocol takes a header for a bad request', async (t) => {
  const lane = await start(t, { proxyProtocol: ['tls'] });
  assert.match(await (await lane.connect()).write(V1 + REQUEST).ended(), /^HTTP\/1\.1 400 /);
  assert.match(await (await lane.connect()).write(REQUEST).sees('ok'), /^HTTP\/1\.1 200 /);
});

test('the end of the engine closes connections whose header is due', async (t) => {
  const lane = await start(t);
  const front = await lane.connect();
  front.write(V1.slice(0, 10));
  while (lane.engine.admitted === 0) await new Promise((resolve) => setImmediate(resolve));
  await lane.engine.close(0);
  assert.equal(await front.ended(), '');
});
