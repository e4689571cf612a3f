/** Identity of nodes: real processes with the SDK whose clocks step, whose hosts freeze, and whose addresses are reused. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { createInterface } from 'node:readline';
import { after, before, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { NodeResource } from '@rollcall/protocol';
import { TYPESCRIPT } from '../site/commands.ts';
import { startUp, type Up, until } from './up.ts';

const PROGRAM = fileURLToPath(new URL('./agent-programs/stepped-clock.ts', import.meta.url));
const HOUR_MS = 3_600_000;

interface Line {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** One process of the program, and its output. */
class Program {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  #onLine: (() => void) | undefined;

  constructor(t: TestContext, environment: Readonly<Record<string, string>>) {
    this.child = spawn(process.execPath, [...TYPESCRIPT, PROGRAM], {
      env: { ...process.env, ROLLCALL_URL: up.controlUrl, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line);
      this.#onLine?.();
    });
    t.after(() => this.kill());
  }

  /** The first line for an event. */
  async first(event: string): Promise<Line> {
    for (;;) {
      const line = this.lines.find((one) => one.event === event);
      if (line) return line;
      await new Promise<void>((resolve) => {
        this.#onLine = resolve;
      });
    }
  }

  get events(): readonly string[] {
    return this.lines.map(({ event }) => event);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}

let up: Up;

before(async () => {
  up = await startUp('--workers', '1');
});

after(() => up.close());

/** Process id of the program that answers, or a status. */
async function answer(): Promise<string> {
  const response = await fetch(up.proxyUrl, { signal: AbortSignal.timeout(5_000) });
  const text = await response.text();
  return response.ok ? text : `HTTP ${response.status}`;
}

function served(by: Program): Promise<void> {
  return until(async () => (await answer()) === String(by.child.pid), `process ${by.child.pid} to answer`);
}

function node(id: string): Promise<NodeResource> {
  return up.api<NodeResource>('GET', `/v1/nodes/${id}`);
}

test('a program that starts again after its clock has gone back is a node again, and serves', async (t) => {
  const first = new Program(t, { ROLLCALL_NODE_ID: 'n1' });
  const { port } = await first.first('listening');
  await served(first);
  await first.kill();
  const second = new Program(t, { ROLLCALL_NODE_ID: 'n1', PORT: String(port), CLOCK_MS: String(-HOUR_MS) });
  await served(second);
  for (let i = 0; i < 50; i++) assert.equal(await answer(), String(second.child.pid));
  assert.deepEqual(
    second.events.filter((event) => event !== 'listening' && event !== 'registered'),
    [],
  );
  assert.ok((await node('n1')).incarnation < Date.now() - HOUR_MS / 2);
});

test('a node whose host has frozen starts elsewhere; the frozen process is refused when it thaws', async (t) => {
  const first = new Program(t, { ROLLCALL_NODE_ID: 'n1' });
  await served(first);
  first.child.kill('SIGSTOP');
  await until(async () => (await node('n1')).liveness === 'suspect', 'n1 to be suspect');
  const second = new Program(t, { ROLLCALL_NODE_ID: 'n1', CLOCK_MS: String(-HOUR_MS) });
  await served(second);
  first.child.kill('SIGCONT');
  const error = await first.first('error');
  assert.equal(error['code'], 'superseded');
  const holder = `node n1 at ${(await node('n1')).url} (process ${second.child.pid} on ${hostname()}, registered `;
  assert.ok(String(error['message']).includes(holder), String(error['message']));
  assert.match(String(error['message']), /with an id of its own \(`--id`, SDK option `id`\) or in another directory/);
  assert.equal(await answer(), String(second.child.pid));
  assert.ok(!second.events.includes('error'));
});

test('a clock that is ahead does not keep a later process out', async (t) => {
  const first = new Program(t, { ROLLCALL_NODE_ID: 'n1', CLOCK_MS: String(24 * HOUR_MS) });
  await served(first);
  assert.ok((await node('n1')).incarnation <= Date.now());
  const second = new Program(t, { ROLLCALL_NODE_ID: 'n1' });
  await served(second);
  assert.equal((await first.first('error'))['code'], 'superseded');
});

test('an address of a node that sends heartbeats is refused, and is free for another node when the program has ended', async (t) => {
  const first = new Program(t, { ROLLCALL_NODE_ID: 'n1' });
  const { port } = await first.first('listening');
  await served(first);
  const other = { ROLLCALL_NODE_ID: 'n2', BALANCER: 'shop' };
  const url = `http://127.0.0.1:${port}`;
  const second = new Program(t, { ...other, URL_TO_ANNOUNCE: url });
  const warning = await second.first('warning');
  assert.equal(warning['code'], 'address-taken');
  assert.match(String(warning['message']), new RegExp(`node n1 at ${url} \\(.*registered \\d+ s ago, connected\\)`));
  assert.equal(await answer(), String(first.child.pid));

  await second.kill();
  first.child.kill('SIGSTOP');
  await until(async () => (await node('n1')).liveness === 'suspect', 'n1 to be suspect');
  await first.kill();
  const third = new Program(t, { ...other, PORT: String(port) });
  await served(third);
  await until(async () => (await node('n1')).liveness === 'missing', 'n1 to be gone');
  assert.ok(!third.events.includes('warning'));
});

test('a program whose address is answered by another program is refused by name, and gets no users', async (t) => {
  const other = createServer((_, response) => response.end('another program'));
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  // Bound to all addresses of IPv6 alone; the address toward the coordinator is 127.0.0.1.
  const program = new Program(t, { ROLLCALL_NODE_ID: 'n3', BALANCER: 'other', HOST: '::', PORT: String(port) });
  const warning = await program.first('warning');
  assert.equal(warning['code'], 'wrong-program');
  const named = `http://127.0.0.1:${port} is answered by another program than the one that registers node n3. `;
  assert.ok(String(warning['message']).startsWith(named), String(warning['message']));
  await until(async () => (await node('n3')).liveness === 'missing', 'n3 to be gone');
  assert.ok(!up.log.some((line) => line.includes('node n3 is up')));
  await program.kill();
  other.close();
  const right = new Program(t, { ROLLCALL_NODE_ID: 'n3', BALANCER: 'other', PORT: String(port) });
  await until(async () => (await node('n3')).liveness === 'up', 'n3 to be up at the address of its own');
  assert.ok(!right.events.includes('warning'));
});
