/** Real programs under the wrapper: heartbeats with a slow page, a failing page, a busy and a frozen program. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type ScriptedPeer, startScriptedCoordinator } from '@rollcall/agent/testing';
import type { HeartbeatMessage } from '@rollcall/protocol';
import { processTree } from './process-table.ts';
import { WrappedNode } from './wrapped-node.ts';

const options = { skip: process.platform === 'linux' ? false : 'needs /proc, which only Linux has', timeout: 120_000 };

/** `/slow`, `/fail` and `/good` change what `/health` does from then on; `/busy` computes without end once it has been answered. */
const PROGRAM = `let mode = 'good';
require('node:http').createServer((q, a) => {
  if (q.url !== '/health') mode = q.url.slice(1);
  if (q.url === '/busy') a.end('ok', () => { for (;;); });
  else if (q.url !== '/health') a.end('ok');
  else if (mode === 'fail') a.writeHead(503).end();
  else setTimeout(() => a.end('ok'), mode === 'slow' ? 2500 : 0);
}).listen(process.env.PORT, '127.0.0.1');`;

async function start(t: TestContext) {
  const coordinator = await startScriptedCoordinator();
  const logged: string[] = [];
  const node = new WrappedNode({
    command: [process.execPath, '-e', PROGRAM],
    description: { balancer: 'shop' },
    id: 'shop-1',
    isIdDerived: false,
    route: 'shop-1',
    readyPath: '/health',
    readyTimeoutMs: 60_000,
    readyIntervalMs: 50,
    drainSessionsMs: 0,
    graceMs: 1_000,
    coordinators: [coordinator.url],
    token: () => ({}),
    environment: process.env,
    say: (line) => void logged.push(line),
  });
  const run = node.run();
  t.after(async () => {
    node.kill();
    await run;
    await coordinator.close();
  });
  const peer = await coordinator.peer();
  const sent = await peer.accept({ heartbeatMs: 200 });
  const setMode = async (mode: string) => void (await (await fetch(`${sent.url}/${mode}`)).text());
  return { peer, logged, sent, setMode };
}

/** The next heartbeat that matches; a test without a match ends by its time limit. */
async function until(peer: ScriptedPeer, isMatch: (heartbeat: HeartbeatMessage) => boolean): Promise<HeartbeatMessage> {
  for (;;) {
    const heartbeat = await peer.next('heartbeat');
    if (isMatch(heartbeat)) return heartbeat;
  }
}

test('the registration names the ready path', options, async (t) => {
  assert.equal((await start(t)).sent.readyPath, '/health');
});

test('a failing ready page is reported as not ready, and heartbeats continue', options, async (t) => {
  const { peer, logged, setMode } = await start(t);
  assert.equal((await peer.next('heartbeat')).ready, undefined);
  await setMode('fail');
  await until(peer, ({ ready }) => ready === false);
  for (let beats = 0; beats < 3; beats += 1) assert.equal((await peer.next('heartbeat')).ready, false);
  await setMode('good');
  await until(peer, ({ ready }) => ready === undefined);
  const changes = logged.filter((line) => line.includes('ready'));
  assert.deepEqual(changes, [
    'shop-1 answers 503 at /health; it is not ready until the answer is below 500',
    'shop-1 is ready again',
  ]);
});

test('a slow ready page is load 1, and heartbeats continue until it answers', options, async (t) => {
  const { peer, logged, setMode } = await start(t);
  await setMode('slow');
  await until(peer, ({ load }) => load === 1);
  for (let beats = 0; beats < 5; beats += 1) {
    const { load, ready } = await peer.next('heartbeat');
    assert.deepEqual([load, ready], [1, undefined]);
  }
  await setMode('good');
  while (!logged.includes('shop-1 answers promptly again')) await peer.next('heartbeat');
  await until(peer, ({ load }) => load !== 1);
  assert.ok(
    logged.includes('shop-1 takes more than 2 s to answer /health; heartbeats with load 1 until it is prompt'),
    logged.join('\n'),
  );
});

test('a single-threaded program that computes sends heartbeats with load 1', options, async (t) => {
  const { peer, logged, setMode } = await start(t);
  await setMode('busy');
  while (!logged.some((line) => line.includes('uses CPU'))) await peer.next('heartbeat');
  const { load, ready } = await until(peer, (heartbeat) => heartbeat.load === 1);
  assert.deepEqual([load, ready], [1, undefined]);
  for (let beats = 0; beats < 3; beats += 1) assert.equal((await peer.next('heartbeat')).load, 1);
});

test('a frozen program with a ready page sends no heartbeats until it resumes', options, async (t) => {
  const { peer, logged } = await start(t);
  await peer.next('heartbeat');
  const program = processTree(process.pid).filter(
    ({ parent, session, pid }) => parent === process.pid && session === pid,
  );
  const { pid } = program.at(-1)!;
  process.kill(pid, 'SIGSTOP');
  while (!logged.some((line) => line.includes('no heartbeats until')))
    await new Promise((next) => setTimeout(next, 20));
  const frozenAt = peer.received.length;
  process.kill(pid, 'SIGCONT');
  while (!logged.some((line) => line.includes('accepts connections again')))
    await new Promise((next) => setTimeout(next, 20));
  assert.ok(peer.received.length - frozenAt <= 1, 'one heartbeat may have been in transit');
  const before = peer.received.length;
  while (peer.received.length <= before) await peer.next('heartbeat');
});
