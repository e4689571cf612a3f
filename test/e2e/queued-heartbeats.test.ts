/** The control process is suspended while agents continue to send: queued messages are read at once, and are not a flood. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { WebSocket } from 'ws';
import { Site, until } from '../site/site.ts';

const AGENTS = 50;
const SUSPENDED_MS = 6_000;
/** Within the rate, and more than the burst while the control process is suspended. */
const EVERY_MS = 125;

interface Agent {
  readonly socket: WebSocket;
  /** `too-fast`, and the code of a close. */
  readonly complaints: (string | number)[];
}

async function connect(site: Site, number: number): Promise<Agent> {
  const url = `${site.controlUrl.replace('http', 'ws')}${AGENT_PATH}`;
  const socket = new WebSocket(url, [AGENT_SUBPROTOCOL]);
  const complaints: (string | number)[] = [];
  socket.on('message', (data) => {
    const { type, code } = JSON.parse(data.toString()) as { type: string; code?: string };
    if (type === 'error' && code === 'too-fast') complaints.push(code);
  });
  socket.on('close', (code) => complaints.push(code));
  await once(socket, 'open');
  const node = { id: `n${number}`, balancer: 'shop', url: `http://127.0.0.1:${5_000 + number}` };
  socket.send(JSON.stringify({ type: 'register', node }));
  await once(socket, 'message');
  return { socket, complaints };
}

test(`${AGENTS} agents that continue to send while the control process is suspended keep their connections`, {
  timeout: 120_000,
}, async (t) => {
  const site = await Site.start(t);
  const agents = await Promise.all(Array.from({ length: AGENTS }, (_, i) => connect(site, i)));
  const beat = (): void => {
    for (const { socket } of agents) socket.send('{"type":"heartbeat","load":0.5}');
  };
  const timer = setInterval(beat, EVERY_MS);
  t.after(() => {
    clearInterval(timer);
    for (const { socket } of agents) socket.terminate();
  });
  site.signalControl('SIGSTOP');
  // The duration of the stop is the subject of the test.
  await sleep(SUSPENDED_MS);
  site.signalControl('SIGCONT');
  await until(async () => (await fetch(`${site.controlUrl}/livez`)).ok, 'the control process does not continue');
  // A flood of one agent's is refused as before; its close comes after all that had queued was read.
  const [flooding, ...others] = agents;
  for (let i = 0; i < 2_000; i++) flooding!.socket.send('{"type":"heartbeat","load":0.5}');
  await until(async () => flooding!.complaints.includes(1008), 'the flood is not refused');
  assert.deepEqual(
    others.flatMap(({ complaints }) => complaints),
    [],
  );
});
