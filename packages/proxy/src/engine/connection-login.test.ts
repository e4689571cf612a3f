/** A connection to a node that is authenticated as one client serves no other client, and ends with that client's connection. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { CHALLENGES, loginNode } from './connection-login.fixture.ts';
import { type Lane, startLane } from './lane.fixture.ts';
import type { RawClient } from './raw-client.fixture.ts';
import { answering, ok } from './raw-node.fixture.ts';

const WHO = /HTTP\/1\.1 (?:401[\s\S]*\r\n\r\nwho\?|200[\s\S]*\r\n\r\nhello (\w*)\.|50\d[\s\S]*request \S+\n)$/;

async function start(t: TestContext, challenge: string, nodes = 1): Promise<Lane> {
  const lane = await startLane(
    Array.from({ length: nodes }, () => loginNode(challenge)),
    { keepAliveMs: 60_000 },
  );
  t.after(() => lane.close());
  return lane;
}

/** The answer to one request: the user as the node sees it, or the status. */
async function ask(client: RawClient, authorization = '', rest = 'GET / HTTP/1.1'): Promise<string> {
  await send(client, authorization, rest);
  return WHO.exec(client.received)?.[1] ?? client.received.slice(9, 12);
}

async function send(client: RawClient, authorization: string, line: string): Promise<void> {
  client.received = '';
  client.write(`${line}\r\nHost: a\r\n${authorization === '' ? '' : `Authorization: ${authorization}\r\n`}\r\n`);
  await client.until(() => WHO.test(client.received) || client.isClosed || client.hasEnded);
}

/** Type 1, type 2, type 3. */
async function logIn(client: RawClient, user: string, scheme = 'NTLM'): Promise<string> {
  await send(client, `${scheme} first ${user}`, 'GET / HTTP/1.1');
  const [, challenge = ''] = /NTLM (\w{12})/.exec(client.received) ?? [];
  return ask(client, `${scheme} third ${user} ${challenge}`);
}

const LOGINS: readonly (readonly [name: string, logIn: (client: RawClient, user: string) => Promise<string>])[] = [
  ['NTLM', (client, user) => logIn(client, user)],
  ['ntlm', (client, user) => logIn(client, user, 'ntlm')],
  ['Negotiate', (client, user) => ask(client, `Negotiate ${user}`)],
  ['nEGOTIATE', (client, user) => ask(client, `nEGOTIATE ${user}`)],
  ['a scheme that only Persistent-Auth shows', (client, user) => ask(client, `Kerberos ${user}`)],
];

for (const challenge of CHALLENGES)
  for (const [name, login] of LOGINS)
    test(`a login by ${name} after ${JSON.stringify(challenge)} is one client's alone`, async (t) => {
      const lane = await start(t, challenge);
      const [alice, bob, guest] = [await lane.connect(), await lane.connect(), await lane.connect()];
      assert.equal(await ask(alice), '401');
      assert.equal(await login(alice, 'alice'), 'alice');
      assert.equal(await ask(guest), '401', 'a client without credentials gets no identity of another');
      assert.equal(await login(bob, 'bob'), 'bob');
      for (let i = 0; i < 3; i++) {
        assert.equal(await ask(guest), '401');
        assert.equal(await ask(alice), 'alice', 'the login lasts as long as the connection');
        assert.equal(await ask(bob), 'bob');
      }
      const node = lane.nodes[0]!;
      assert.ok(node.connections.filter(({ isClosed }) => !isClosed).length <= 4);
      alice.close();
      await lane.nodes[0]!.connections.find(({ received }) => received.includes('alice'))!.closed();
      for (let i = 0; i < 3; i++) {
        const other = await lane.connect();
        assert.equal(await ask(other), '401', 'and ends with it');
      }
    });

test('interleaved handshakes of clients are not mixed', async (t) => {
  const lane = await start(t, CHALLENGES[0]!);
  const clients = await Promise.all(Array.from({ length: 10 }, () => lane.connect()));
  const challenges: string[] = [];
  for (const [i, client] of clients.entries()) {
    await send(client, `NTLM first u${i}`, 'GET / HTTP/1.1');
    challenges.push(/NTLM (\w{12})/.exec(client.received)?.[1] ?? '');
  }
  for (const [i, client] of clients.entries())
    assert.equal(await ask(client, `NTLM third u${i} ${challenges[i]}`), `u${i}`);
  for (const [i, client] of clients.entries()) assert.equal(await ask(client), `u${i}`);
  assert.equal(lane.nodes[0]!.connections.length, 10);
});

test('a client that leaves in the middle of a handshake leaves no connection behind', async (t) => {
  const lane = await start(t, CHALLENGES[0]!);
  const mallory = await lane.connect();
  await send(mallory, 'NTLM first mallory', 'GET / HTTP/1.1');
  const [, challenge = ''] = /NTLM (\w{12})/.exec(mallory.received) ?? [];
  mallory.socket.resetAndDestroy();
  await (await lane.nodes[0]!.connection()).closed();
  assert.equal(await ask(await lane.connect(), `NTLM third mallory ${challenge}`), '401');
});

test('when the node closes the connection the next request is one of an unknown client', async (t) => {
  const lane = await start(t, CHALLENGES[0]!);
  const alice = await lane.connect();
  assert.equal(await logIn(alice, 'alice'), 'alice');
  const connection = await lane.nodes[0]!.connection();
  connection.socket.end();
  await connection.closed();
  assert.equal(await ask(alice), '401');
  assert.equal(await logIn(alice, 'alice'), 'alice');
  assert.equal(await ask(alice, '', 'GET /last HTTP/1.1'), 'alice');
  assert.equal(await ask(alice), '401');
});

test('a session that moves to another node leaves its login behind', async (t) => {
  const lane = await start(t, CHALLENGES[0]!, 2);
  const alice = await lane.connect();
  assert.equal(await logIn(alice, 'alice'), 'alice');
  lane.router.nodes.reverse();
  assert.equal(await ask(alice), '401');
  await (await lane.nodes[0]!.connection()).closed();
  lane.router.nodes.reverse();
  assert.equal(await ask(alice), '401');
});

test('a node that is gone takes the login with it', async (t) => {
  const lane = await start(t, CHALLENGES[0]!);
  const alice = await lane.connect();
  assert.equal(await logIn(alice, 'alice'), 'alice');
  lane.router.onNodeGone(lane.router.nodes[0]!);
  await (await lane.nodes[0]!.connection()).closed();
  assert.equal(await ask(alice), '401');
});

test('an idempotent request goes to a fresh connection of the same node when the bound one breaks, a POST is not repeated', async (t) => {
  for (const [line, answer] of [
    ['GET / HTTP/1.1', '401'],
    ['POST / HTTP/1.1', '502'],
  ] as const) {
    const lane = await start(t, CHALLENGES[0]!, 2);
    const alice = await lane.connect();
    assert.equal(await logIn(alice, 'alice'), 'alice');
    const [first, other] = lane.nodes;
    const { socket } = await first!.connection();
    // The request arrives, and the connection breaks before it is answered.
    socket.removeAllListeners('data').once('data', () => socket.resetAndDestroy());
    assert.equal(await ask(alice, 'NTLM third alice stale', line), answer);
    assert.equal(other!.connections.length, 0);
    alice.close();
  }
});

test('a slow client, pipelined requests and HTTP/1.0 keep their login', async (t) => {
  const lane = await start(t, CHALLENGES[0]!);
  const alice = await lane.connect();
  for (const octet of 'GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Negotiate alice\r\n\r\n') alice.write(octet);
  await alice.until(() => alice.received.endsWith('hello alice.'));
  const { length } = alice.received;
  alice.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3));
  await alice.until(() => alice.received.length >= length && alice.received.split('hello alice.').length === 5);
  const old = await lane.connect();
  const line = 'GET / HTTP/1.0\r\nConnection: keep-alive';
  assert.equal(await ask(old, 'Negotiate olga', line), 'olga');
  assert.equal(await ask(old, '', line), 'olga');
  assert.equal(await ask(alice), 'alice');
});

test('an upgrade takes the bound connection with it', async (t) => {
  const accept = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
  const lane = await startLane([answering((target) => (target === '/ws' ? accept : ok('fine')))]);
  t.after(() => lane.close());
  const client = await lane.connect();
  const upgrade =
    'Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n';
  await client.write('GET / HTTP/1.1\r\nHost: a\r\nAuthorization: NTLM x\r\n\r\n').sees('fine');
  await client.write(`GET /ws HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`).sees('websocket');
  const node = await lane.nodes[0]!.connection();
  client.write('to the node');
  await node.until(() => node.received.endsWith('to the node'));
  assert.equal(lane.nodes[0]!.connections.length, 1);
});

test('other schemes share connections', async (t) => {
  const refused = (field: string): string => `HTTP/1.1 401 Unauthorized\r\n${field}\r\nContent-Length: 0\r\n\r\n`;
  for (const field of [
    'WWW-Authenticate: Basic realm="NTLM"',
    'WWW-Authenticate: Bearer a="x, NTLM"',
    'WWW-Authenticate: Digest realm="a\\", Negotiate"',
    'WWW-Authenticate: NTLMv3',
    'X-WWW-Authenticate: NTLM',
    'Proxy-Authenticate: NTLM',
    'Persistent-Auth: false',
  ]) {
    const lane = await startLane([answering(() => refused(field))], { keepAliveMs: 60_000 });
    t.after(() => lane.close());
    for (const authorization of ['Basic TlRMTSBhYmM=', 'Bearer NTLM', 'NTLMssp x']) {
      const client = await lane.connect();
      await client.write(`GET / HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n\r\n`).sees('Length: 0\r\n');
      await client.until(() => client.received.endsWith('\r\n\r\n'));
      client.close();
    }
    assert.equal(lane.nodes[0]!.connections.length, 1, field);
  }
});
