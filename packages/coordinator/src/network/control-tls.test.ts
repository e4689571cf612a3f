import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { WebSocket } from 'ws';
import { selfSigned } from '../testing/self-signed.ts';
import { startTestCoordinator } from '../testing/test-coordinator.ts';
import type { ControlTls } from './control-tls.ts';

const DAY_MS = 86_400_000;

/** Certificates that the test can replace. */
class TestTls implements ControlTls {
  context: tls.SecureContextOptions;
  readonly asksClients = true;
  readonly path = 'control.crt';
  endsAtUnixMs = Date.now() + 20 * DAY_MS;
  readonly #listeners: (() => void)[] = [];

  constructor(context: tls.SecureContextOptions) {
    this.context = context;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  change(context: tls.SecureContextOptions): void {
    this.context = context;
    for (const listener of this.#listeners) listener();
  }
}

/** A coordinator with a manual clock, and an agent connection with a client certificate that expires in 5 days. */
async function startWithAgent(t: TestContext) {
  const server = selfSigned(t, 'control', 20);
  const client = selfSigned(t, 'shop-1', 5);
  const context = new TestTls({ ...server, ca: client.cert });
  let shiftMs = 0;
  const clocks = { nowMs: () => performance.now(), nowUnixMs: () => Date.now() + shiftMs };
  const options = { tls: context, clocks, agentsListen: { host: '127.0.0.1', port: 0 } };
  const first = await startTestCoordinator(options);
  await first.coordinator.close();
  const path = join(first.stateDir, 'tokens.json');
  const file = JSON.parse(readFileSync(path, 'utf8')) as { tokens: object[] };
  const sha256 = createHash('sha256').update(randomBytes(32)).digest('hex');
  file.tokens.push({ name: 'shop', role: 'join', certificate: 'shop-1', sha256 });
  writeFileSync(path, JSON.stringify(file));
  const { coordinator } = await startTestCoordinator({ ...options, stateDir: first.stateDir });
  t.after(async () => {
    await coordinator.close();
    await rm(first.stateDir, { recursive: true, force: true });
  });
  const agent = new WebSocket(`${coordinator.agentsUrl}${AGENT_PATH}`, AGENT_SUBPROTOCOL, {
    ...client,
    rejectUnauthorized: false,
  });
  t.after(() => agent.terminate());
  agent.on('error', () => undefined);
  const ended = once(agent, 'close');
  await once(agent, 'open');
  const later = (ms: number): void => {
    shiftMs = ms;
  };
  return { coordinator, context, agent, ended, later };
}

test('C52: a connection ends when the client certificate that opened it expires', async (t) => {
  const { ended, later } = await startWithAgent(t);
  later(6 * DAY_MS);
  const [code] = await ended;
  assert.equal(code, 1006);
});

test('both ports present a new certificate, and connections stay open', async (t) => {
  const { coordinator, context, agent } = await startWithAgent(t);
  const shown = async (url: string): Promise<string> => {
    const { hostname, port } = new URL(url);
    const socket = tls.connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { subject } = socket.getPeerX509Certificate()!;
    socket.destroy();
    return subject;
  };
  assert.match(coordinator.url, /^https:/);
  assert.match(coordinator.agentsUrl, /^wss:/);
  assert.equal(await shown(coordinator.url), 'CN=control');
  context.change(selfSigned(t, 'renewed', 20));
  for (const url of [coordinator.url, coordinator.agentsUrl]) assert.equal(await shown(url), 'CN=renewed');
  assert.equal(agent.readyState, WebSocket.OPEN);
});

test('a handshake may arrive in pieces, and a plain request is answered', async (t) => {
  const { coordinator } = await startWithAgent(t);
  for (const url of [coordinator.url, coordinator.agentsUrl]) {
    const { hostname: host, port } = new URL(url);
    const plain = net.connect({ host, port: Number(port) });
    let said = '';
    plain.on('data', (octets: Buffer) => {
      said += octets.toString();
    });
    plain.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(plain, 'close');
    assert.match(
      said,
      /^HTTP\/1\.1 400 .*Client sent an HTTP request to an HTTPS port: use https:\/\/ or wss:\/\/\n$/s,
    );
    // Only the first octet: it identifies the protocol before the rest has arrived.
    const raw = net.connect({ host, port: Number(port) });
    await once(raw, 'connect');
    const pieces = new Duplex({
      read: () => undefined,
      write: (octets: Buffer, _, done) => {
        raw.write(octets.subarray(0, 1));
        setImmediate(() => raw.write(octets.subarray(1), () => done()));
      },
    });
    raw.setNoDelay(true).on('data', (octets) => pieces.push(octets));
    const socket = tls.connect({ socket: pieces, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    assert.equal(socket.getPeerX509Certificate()!.subject, 'CN=control');
    raw.destroy();
  }
});

test('unfinished handshakes do not delay the shutdown of the coordinator', async (t) => {
  const { coordinator, agent } = await startWithAgent(t);
  agent.terminate();
  const { hostname: host, port } = new URL(coordinator.url);
  const [silent, stalled] = [net.connect({ host, port: Number(port) }), net.connect({ host, port: Number(port) })];
  const ended = [silent, stalled].map((socket) => once(socket.on('error', () => undefined).resume(), 'close'));
  await Promise.all([once(silent, 'connect'), once(stalled, 'connect')]);
  // Only the head of a record of 512 octets.
  stalled.write(Buffer.from([0x16, 3, 1, 2, 0, 1]));
  // Once a later connection is answered, the server has begun this handshake.
  const later = net.connect({ host, port: Number(port) });
  later.end('GET / HTTP/1.1\r\n\r\n');
  await once(later.resume(), 'close');
  const closingAtMs = performance.now();
  await coordinator.close();
  await Promise.all(ended);
  // The time limit of a handshake is 10 s.
  assert.ok(performance.now() - closingAtMs < 8_000);
});
