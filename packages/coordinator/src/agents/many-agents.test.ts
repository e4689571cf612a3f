/** More agents connect than are admitted at once: the waiting agents are admitted too, and their early data is not lost. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { startTestCoordinator } from '../testing/test-coordinator.ts';

/** Of agents without a token. */
const QUOTAS = { 'tokenless-nodes': 1_000, 'tokenless-connections': 1_000 };
/** More than the 25 of the burst, and few enough that none waits too long. */
const AGENTS = 150;

/** A masked frame with a registration of up to 65,535 octets. @see RFC 6455 §5.2 */
function registration(number: number): Buffer {
  const node = { id: `n${number}`, balancer: 'shop', url: `http://127.0.0.1:${10_000 + number}` };
  const payload = Buffer.from(JSON.stringify({ type: 'register', node }));
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x81fe);
  head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

function upgrade(port: number): string {
  return `GET ${AGENT_PATH} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: ${AGENT_SUBPROTOCOL}\r\n\r\n`;
}

test('waiting agents are admitted, also with an early registration; an agent that gives up is not', async () => {
  const started = await startTestCoordinator({ quotas: QUOTAS });
  const { port } = started.coordinator.address;
  const sockets: net.Socket[] = [];
  try {
    const registered: Promise<void>[] = [];
    for (let i = 0; i < AGENTS; i++) {
      const socket = net.connect(port, '127.0.0.1');
      sockets.push(socket);
      socket.on('error', () => undefined);
      // Half of them do not wait for the answer to the upgrade.
      socket.write(upgrade(port));
      if (i % 2 === 0) socket.write(registration(i));
      registered.push(
        new Promise((resolve) => {
          let text = '';
          socket.on('data', (octets) => {
            if (text === '' && i % 2 === 1) socket.write(registration(i));
            text += octets.toString('latin1');
            if (text.includes('"type":"registered"')) resolve();
          });
        }),
      );
    }
    const late = net.connect(port, '127.0.0.1');
    sockets.push(late);
    late.resume();
    late.end(upgrade(port));
    await Promise.all([...registered, once(late, 'close')]);
    assert.equal(started.coordinator.registry.size, AGENTS);
  } finally {
    for (const socket of sockets) socket.destroy();
    await started.close();
  }
});
