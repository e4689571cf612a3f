/** Clients and nodes with random behaviour: nothing throws, and each count of a begin has its count of an end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@rollcall/core/testing';
import { startLane } from './lane.fixture.ts';
import { ok, type RawNodeConnection } from './raw-node.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

const SEED = 20_261_121;
const CLIENTS = 16;
const ROUNDS = 40;
const HOST = 'Host: shop.example\r\n';

const REQUESTS = [
  `GET /a HTTP/1.1\r\n${HOST}\r\n`,
  `GET /a HTTP/1.0\r\n\r\n`,
  `HEAD /a HTTP/1.1\r\n${HOST}\r\n`,
  `POST /a HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`,
  `POST /a HTTP/1.1\r\n${HOST}Content-Length: 50000\r\n\r\nnot all`,
  `POST /a HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
  `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n`,
  `GET /ws HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes`,
  `GET /a HTTP/1.1\r\n${HOST}\r\nGET /b HTTP/1.1\r\n${HOST}\r\nGET /c`,
  'nonsense\r\n\r\n',
  'GET /half HTTP/1.1\r\nHo',
];
const ANSWERS = [
  ok(),
  ok('x'.repeat(100_000)),
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX',
  'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf',
  'HTTP/1.1 200 OK\r\n\r\nuntil the end',
  `HTTP/1.1 103 Early Hints\r\n\r\n${ok()}`,
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes',
  `${ok()}${ok()}`,
  'garbage\r\n\r\n',
  'HTTP/1.1 200 O',
  '',
];

test(`with random clients and nodes, every request that begins also ends (seed ${SEED})`, async () => {
  const rng = seededRng(SEED);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(rng() * list.length)]!;
  const turns = async (most: number): Promise<void> => {
    for (let left = Math.floor(rng() * most); left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
  };
  const serve = ({ socket }: RawNodeConnection): void => {
    socket.on('data', async () => {
      await turns(3);
      if (!socket.writable) return;
      socket.write(pick(ANSWERS));
      await turns(3);
      const end = rng();
      if (end < 0.15) socket.end();
      else if (end < 0.3) socket.resetAndDestroy();
    });
    socket.on('end', () => socket.end());
  };
  await withLane(startLane([serve, serve], { keepAliveMs: 60_000 }), async (lane) => {
    const play = async (): Promise<void> => {
      for (let round = 0; round < ROUNDS; round++) {
        const client = await lane.connect();
        const octets = pick(REQUESTS);
        const cut = Math.floor(rng() * octets.length);
        client.write(octets.slice(0, cut));
        await turns(3);
        client.write(octets.slice(cut));
        await turns(12);
        const end = rng();
        if (end < 0.3) client.socket.resetAndDestroy();
        else if (end < 0.6) client.socket.end();
        else client.close();
        await turns(4);
        client.close();
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, play));
    await lane.engine.close(0);
    const { inFlight, connections, requests } = lane.engine.counters(0);
    assert.ok(requests > (CLIENTS * ROUNDS) / 4, `${requests} requests`);
    assert.deepEqual({ inFlight, connections }, { inFlight: 0, connections: 0 });
    for (const { live, counters, id } of lane.router.nodes) {
      assert.equal(live.inFlight, 0, `${id} in flight`);
      assert.equal(counters.tunnels, 0, `${id} tunnels`);
    }
    const count = (start: string): number => lane.router.reports.filter((line) => line.startsWith(start)).length;
    assert.equal(count('send'), count('end'));
  });
});
