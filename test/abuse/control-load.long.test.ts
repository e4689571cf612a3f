/** Bounds of the control port in time: clients that send nothing, read nothing or do not register are closed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { WebSocket } from 'ws';
import { Site, until } from '../site/site.ts';

/** The bound for a request head is 10 s; Node.js closes late ones after up to 40 s unless it looks more often. */
const CLOSED_WITHIN_MS = 20_000;

/** Sends `text` and reads the answer; resolves with the time until the connection is closed, milliseconds. */
async function closedAfter(t: TestContext, url: string, text: string): Promise<number> {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.on('error', () => undefined).resume();
  await once(socket, 'connect');
  const startMs = performance.now();
  if (text !== '') socket.write(text);
  await once(socket, 'close');
  return performance.now() - startMs;
}

test('C36: silent connections and unfinished heads are closed', { timeout: 120_000 }, async (t) => {
  const site = await Site.start(t);
  const heads = ['', 'GET /livez HTTP/1.1\r\nHost: localhost\r\n', 'GET '];
  const times = await Promise.all(heads.map((head) => closedAfter(t, site.controlUrl, head)));
  for (const ms of times) assert.ok(ms < CLOSED_WITHIN_MS, `closed after ${times.map(Math.round).join(', ')} ms`);
});

test('C35: an agent that connects and never registers is closed with 4408', { timeout: 120_000 }, async (t) => {
  const site = await Site.start(t);
  const socket = new WebSocket(`${site.controlUrl.replace('http', 'ws')}${AGENT_PATH}`, [AGENT_SUBPROTOCOL]);
  t.after(() => socket.terminate());
  const [code] = (await once(socket, 'close')) as [number];
  assert.equal(code, 4408);
});

test('C37: a client that sends requests and reads nothing for 10 s is closed', { timeout: 240_000 }, async (t) => {
  const site = await Site.start(t);
  const token = readFileSync(join(site.stateDir, 'admin-token'), 'utf8').trim();
  const { hostname, port } = new URL(site.controlUrl);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  // Together more than the system buffers for a connection.
  socket.write(`GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`.repeat(400));
  await until(async () => {
    const headers = { authorization: `Bearer ${token}` };
    const metrics = await (await fetch(`${site.controlUrl}/metrics`, { headers })).text();
    return /^rollcall_unread_answers_closed_total 1$/m.test(metrics);
  }, 'the connection is not closed');
  // A paused socket does not notice that it was closed.
  socket.resume();
  await once(socket, 'close');
});
