/** Ten thousand clients that never finish their request heads, from other addresses, beside normal visitors. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

const LORISES = 10_000;
/** Addresses they come from: 127.0.0.2 and following. */
const ADDRESSES = 10;
const VISITS = 500;
/** Connections being opened at once. */
const OPENING = 100;

/** Opens a connection that sends a head a few octets at a time and never ends it. */
function openLoris(port: number, number: number): Promise<net.Socket> {
  return new Promise((resolve) => {
    const localAddress = `127.0.0.${2 + (number % ADDRESSES)}`;
    const socket = net.connect({ host: '127.0.0.1', port, localAddress });
    socket.on('error', () => resolve(socket));
    socket.on('connect', () => {
      socket.write('GET / HTTP/1.1\r\nHost: site.test\r\nX-Slow: ');
      resolve(socket);
    });
    socket.resume();
  });
}

async function openLorises(t: TestContext, port: number): Promise<net.Socket[]> {
  const sockets: net.Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  let next = 0;
  await Promise.all(
    Array.from({ length: OPENING }, async () => {
      while (next < LORISES) sockets.push(await openLoris(port, next++));
    }),
  );
  return sockets;
}

async function metric(site: Site, reason: string): Promise<number> {
  const text = await site.metrics();
  return Number(new RegExp(`^rollcall_proxy_refusals_total\\{reason="${reason}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

test(`${LORISES} slow heads do not stop normal visitors, and are all cut and counted`, {
  timeout: 120_000,
}, async (t) => {
  const site = await Site.start(t);
  await site.addNode('first', { balancer: 'shop' }, (_, response) => response.end('hello'));
  const sockets = await openLorises(t, site.proxyPort);
  const drip = setInterval(() => {
    for (const socket of sockets) if (!socket.destroyed) socket.write('a');
  }, 1_000);
  t.after(() => clearInterval(drip));
  let slowestMs = 0;
  for (let i = 0; i < VISITS; i++) {
    const sentMs = performance.now();
    assert.equal((await new Visitor(site.proxyPort).get('/')).body, 'hello');
    slowestMs = Math.max(slowestMs, performance.now() - sentMs);
  }
  t.diagnostic(`${VISITS} visits beside ${LORISES} slow heads: the slowest took ${Math.round(slowestMs)} ms`);
  await until(
    async () => (await metric(site, 'header-timeout')) + (await metric(site, 'connections')) >= LORISES,
    'not all are cut',
  );
  assert.equal(await metric(site, 'connections-per-address'), 0);
});
