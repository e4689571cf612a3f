import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { AcceptCheck, connectionRow } from './acceptance.ts';
import { CpuGrowth } from './cpu-growth.ts';
import { changesOf } from './look-text.ts';
import { freePort } from './port.ts';
import { isRefusal } from './probe.ts';
import { readProcess } from './process-table.ts';
import { type Look, ProgramWatch } from './program-watch.ts';
import { ReadyPage } from './ready-page.ts';

const isLinux = process.platform === 'linux' ? false : 'needs /proc, which only Linux has';

/** A single-threaded program. `GET /busy` computes without end once it has been answered. */
const PROGRAM = `require('node:http').createServer((q, a) => {
  a.end('ok', () => { if (q.url === '/busy') for (;;); });
}).listen(0, '127.0.0.1', function () { process.stdout.write(this.address().port + '\\n'); });`;

async function start(t: TestContext): Promise<{ program: ChildProcess; port: number }> {
  const program = spawn(process.execPath, ['-e', PROGRAM], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => program.kill('SIGKILL'));
  const [line] = (await once(program.stdout!, 'data')) as [Buffer];
  return { program, port: Number(String(line)) };
}

async function serve(t: TestContext, answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface WatchSetting {
  readonly port: number;
  readonly page?: ReadyPage;
  readonly cpuMs?: () => number | undefined;
  readonly nowMs?: () => number;
}

function watchOf(
  t: TestContext,
  { port, page, cpuMs = () => undefined, nowMs = () => performance.now() }: WatchSetting,
) {
  const options = { port, addresses: ['127.0.0.1'], ...(page === undefined ? {} : { page }), cpuMs, nowMs };
  const watch = new ProgramWatch(options, '127.0.0.1');
  t.after(() => watch.close());
  return watch;
}

/** Repeats checks until one matches; a test whose check never matches ends by its time limit. */
async function until(watch: ProgramWatch, isMatch: (look: Look) => boolean): Promise<Look> {
  for (;;) {
    const look = await watch.look();
    if (isMatch(look)) return look;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a program that accepts connections is alive, and receives no request', {
  skip: isLinux,
  timeout: 180_000,
}, async (t) => {
  const requests: unknown[] = [];
  const port = await serve(t, (request, response) => {
    requests.push(request.url);
    response.end();
  });
  const watch = watchOf(t, { port });
  assert.deepEqual(await watch.look(), { liveness: 'accepting', isLate: false, isReady: true });
  assert.deepEqual(requests, []);
});

test('a port without a listener refuses', { timeout: 180_000 }, async (t) => {
  assert.equal((await watchOf(t, { port: await freePort() }).look()).liveness, 'refused');
});

test('a frozen program is unresponsive, also after much CPU use, and accepts when it resumes', {
  skip: isLinux,
  timeout: 180_000,
}, async (t) => {
  const { program, port } = await start(t);
  const watch = watchOf(t, { port, cpuMs: () => readProcess(program.pid!)?.ownCpuMs });
  await until(watch, ({ liveness }) => liveness === 'accepting');
  program.kill('SIGSTOP');
  await until(watch, ({ liveness }) => liveness === 'unresponsive');
  assert.equal((await watch.look()).liveness, 'unresponsive');
  program.kill('SIGCONT');
  await until(watch, ({ liveness }) => liveness === 'accepting');
});

test('a program that accepted between two checks is alive, unless the last check is long ago', {
  skip: isLinux,
  timeout: 180_000,
}, async (t) => {
  const { program, port } = await start(t);
  let aheadMs = 0;
  const watch = watchOf(t, { port, nowMs: () => performance.now() + aheadMs });
  for (const [passesMs, liveness] of [
    [0, 'accepting'],
    [5_000, 'unresponsive'],
  ] as const) {
    program.kill('SIGSTOP');
    await until(watch, (look) => look.liveness === 'unresponsive');
    program.kill('SIGCONT');
    // The queued connection is answered first; the other requests give the local end turns of the event loop.
    for (let turn = 0; turn < 5; turn += 1)
      assert.equal((await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).status, 200);
    program.kill('SIGSTOP');
    aheadMs += passesMs;
    assert.equal((await watch.look()).liveness, liveness);
    program.kill('SIGCONT');
    await until(watch, (look) => look.liveness === 'accepting');
  }
});

test('a program that computes without accepting is busy for 60 s and then unresponsive', {
  skip: isLinux,
  timeout: 120_000,
}, async (t) => {
  const { program, port } = await start(t);
  let aheadMs = 0;
  const nowMs = () => performance.now() + aheadMs;
  // With a clock that was advanced, the same CPU time would be a smaller ratio.
  const cpuMs = () => {
    const usedMs = readProcess(program.pid!)?.ownCpuMs;
    return usedMs === undefined ? undefined : usedMs + aheadMs;
  };
  const watch = watchOf(t, { port, cpuMs, nowMs });
  await (await fetch(`http://127.0.0.1:${port}/busy`)).text();
  await until(watch, ({ liveness }) => liveness === 'busy');
  aheadMs = 50_000;
  assert.equal((await watch.look()).liveness, 'busy');
  aheadMs = 65_000;
  assert.equal((await watch.look()).liveness, 'unresponsive');
});

test('a program with a failing page is alive but not ready; one good answer makes it ready', {
  timeout: 180_000,
}, async (t) => {
  let status = 503;
  const port = await serve(t, (_, response) => void response.writeHead(status).end());
  const page = new ReadyPage({ port, path: '/health', intervalMs: 0, nowMs: () => performance.now() });
  const watch = watchOf(t, { port, page });
  assert.deepEqual(await watch.look(), { liveness: 'accepting', isLate: false, isReady: false });
  status = 404;
  assert.equal((await watch.look()).isReady, true);
});

test('a program whose page is not HTTP is alive but not ready', { timeout: 180_000 }, async (t) => {
  const server = createTcpServer(
    (socket) => void socket.on('error', () => {}).once('data', () => socket.end('SSH-2.0\r\n')),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const page = new ReadyPage({ port, path: '/', nowMs: () => performance.now() });
  const { liveness, isReady } = await watchOf(t, { port, page }).look();
  assert.deepEqual([liveness, isReady, page.status], ['accepting', false, 0]);
});

test('a late page is one open request, load 1, and a growing pause after its answer', {
  skip: isLinux,
  timeout: 180_000,
}, async (t) => {
  const held: (() => void)[] = [];
  let requests = 0;
  let isSlow = true;
  const port = await serve(t, (_, response) => {
    requests += 1;
    if (isSlow) held.push(() => response.end());
    else response.end();
  });
  let nowMs = 0;
  const page = new ReadyPage({ port, path: '/health', intervalMs: 0, nowMs: () => nowMs });
  const watch = watchOf(t, { port, page, nowMs: () => nowMs });
  const lateAnswer = async (): Promise<void> => {
    nowMs += 5_000;
    assert.deepEqual(await watch.look(), { liveness: 'accepting', isLate: true, isReady: true });
    held.pop()!();
    while ((await page.request(['127.0.0.1'], 1_000)) === undefined);
  };
  assert.equal((await watch.look()).isLate, false, 'requested, but not late yet');
  assert.equal((await watch.look()).isLate, false);
  assert.equal(requests, 1);
  await lateAnswer();
  for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    nowMs += pauseMs - 1;
    const before: number = requests;
    assert.equal((await watch.look()).isLate, true, 'late until an answer is prompt');
    assert.equal(requests, before, `requested before ${pauseMs} ms were over`);
    nowMs += 1;
    await watch.look();
    assert.equal(requests, before + 1);
    await lateAnswer();
  }
  isSlow = false;
  nowMs += 30_000;
  assert.deepEqual(await watch.look(), { liveness: 'accepting', isLate: false, isReady: true });
  const before = requests;
  await watch.look();
  assert.equal(requests, before + 1, 'no pause after a prompt answer');
});

test('an open request ends with the watch', { timeout: 180_000 }, async (t) => {
  const port = await serve(t, () => {});
  const page = new ReadyPage({ port, path: '/', nowMs: () => performance.now() });
  const open = page.request(['127.0.0.1'], 60_000);
  page.close();
  assert.ok(['silent', 'unconnected'].includes((await open)!.type));
  assert.equal(await page.request(['127.0.0.1'], 0), undefined);
});

test('a connection that is not taken off the queue sends OPTIONS, for servers that wait for data', {
  skip: isLinux,
  timeout: 180_000,
}, async (t) => {
  const { program, port } = await start(t);
  const check = new AcceptCheck(port, '127.0.0.1');
  t.after(() => check.close());
  assert.equal(await check.result(10_000), 'accepted');
  program.kill('SIGSTOP');
  const queued = new AcceptCheck(port, '127.0.0.1');
  t.after(() => queued.close());
  assert.equal(await queued.result(1_000), 'pending');
  program.kill('SIGKILL');
  assert.equal(await queued.result(10_000), 'refused', 'a reset of the queue');
  assert.equal(queued.isOver, true);
});

test('a program that accepts and closes has accepted', { timeout: 180_000 }, async (t) => {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const check = new AcceptCheck((server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => check.close());
  assert.equal(await check.result(10_000), 'accepted');
});

test('a connection in the queue has no inode yet', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000001 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0',
    '   1: 0100007F:0BB8 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1',
  ].join('\n');
  const row = connectionRow(table, 3_000, 50_000);
  assert.deepEqual([row?.[3], row?.[9]], ['01', '0']);
  assert.equal(connectionRow(table, 3_000, 50_001), undefined);
});

test('a timeout, an unreachable host and a lack of local ports are no refusals', () => {
  const refused = ['ECONNREFUSED', 'ECONNRESET'];
  for (const code of refused) assert.equal(isRefusal(code, '10.0.0.5'), true);
  for (const code of ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EMFILE', 'EADDRNOTAVAIL', 'ENOTFOUND', undefined])
    assert.equal(isRefusal(code, '10.0.0.5'), false, code);
  assert.equal(isRefusal('EADDRNOTAVAIL', '::1'), true, 'a machine without IPv6');
});

test('5 % of a core is computing, less is waiting', () => {
  const growth = new CpuGrowth();
  assert.equal(growth.look(5_000, 0), false, 'the first check has nothing to compare with');
  assert.equal(growth.look(5_040, 1_000), false);
  assert.equal(growth.look(5_090, 2_000), true);
  assert.equal(growth.look(5_090, 2_500), true, 'too soon for a new result');
  assert.equal(growth.look(5_090, 3_000), false);
  assert.equal(growth.look(undefined, 4_000), false);
});

test('each change is one sentence; without a change there is none', () => {
  const names = { id: 'n1', port: 80, readyPath: '/up', readyLateMs: 2_000, status: 503 };
  const good: Look = { liveness: 'accepting', isLate: false, isReady: true };
  const texts = (before: Partial<Look>, now: Partial<Look>) =>
    changesOf({ ...good, ...before }, { ...good, ...now }, names);
  assert.deepEqual(texts({}, {}), []);
  assert.match(texts({}, { isReady: false }).join(), /^n1 answers 503 at \/up; it is not ready until/);
  assert.deepEqual(texts({ isReady: false }, {}), ['n1 is ready again']);
  assert.match(texts({}, { isLate: true }).join(), /^n1 takes more than 2 s to answer \/up; heartbeats with load 1/);
  assert.deepEqual(texts({ isLate: true }, {}), ['n1 answers promptly again']);
  for (const liveness of ['busy', 'unresponsive', 'refused'] as const) {
    assert.equal(texts({}, { liveness }).length, 1);
    assert.deepEqual(texts({ liveness }, {}), ['n1 accepts connections again']);
    assert.deepEqual(
      texts({ liveness, isLate: true }, { liveness }),
      [],
      'lateness is reported only while the program accepts',
    );
  }
});
