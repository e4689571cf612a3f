/** The PROXY protocol from the flag of `up` to the node. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { Site, until } from '../site/site.ts';

const TIMEOUT_MS = 120_000;

const REQUEST = 'GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n';

async function answerTo(port: number, octets: string): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (part) => {
    text += part;
  });
  socket.on('error', () => {});
  socket.write(octets, 'latin1');
  await once(socket, 'close');
  return text;
}

test('a listener of --proxy-protocol takes the client from the header, and refuses connections without one', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await Site.start(t, { flags: ['--trusted-proxy', '127.0.0.1', '--proxy-protocol', 'proxy'] });
  await site.addNode('a', {}, (request, response) => response.end(`client ${request.headers['x-forwarded-for']}`));
  const header = 'PROXY TCP4 203.0.113.7 198.51.100.1 56324 80\r\n';
  await until(
    async () => (await answerTo(site.proxyPort, header + REQUEST)).includes('client 203.0.113.7'),
    'no answer',
  );
  assert.equal(await answerTo(site.proxyPort, REQUEST), '');
});
