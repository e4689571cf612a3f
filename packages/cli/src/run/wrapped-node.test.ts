import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type ScriptedCoordinator, startScriptedCoordinator } from '@rollcall/agent/testing';
import { freePort, isAccepting } from './port.ts';
import { processTree } from './process-table.ts';
import { WrappedNode, type WrappedNodeOptions } from './wrapped-node.ts';

/** A program that serves on the port in its first argument, or on PORT, and runs `more` before. */
function program(more = ''): string[] {
  const serve = `require('node:http').createServer((q, a) => a.end(q.url)).listen(Number(process.argv[1] ?? process.env.PORT), '127.0.0.1')`;
  return [process.execPath, '-e', `${more};${serve}`];
}

interface Setting {
  readonly coordinator: ScriptedCoordinator;
  readonly logged: string[];
  /** Resolves when a line with `text` has been logged. */
  untilLogged(text: string): Promise<string>;
  newNode(command: readonly string[], options?: Partial<WrappedNodeOptions>): WrappedNode;
}

async function setUp(t: TestContext): Promise<Setting> {
  const coordinator = await startScriptedCoordinator();
  const logged: string[] = [];
  const waiting = new Set<() => void>();
  t.after(() => coordinator.close());
  return {
    coordinator,
    logged,
    async untilLogged(text) {
      for (;;) {
        const line = logged.find((candidate) => candidate.includes(text));
        if (line !== undefined) return line;
        await new Promise<void>((resolve) => waiting.add(resolve));
      }
    },
    newNode(command, options = {}) {
      const node = new WrappedNode({
        command,
        description: { balancer: 'shop', hosts: ['shop.test'] },
        id: 'shop-1',
        isIdDerived: false,
        route: 'r1',
        readyTimeoutMs: 20_000,
        drainSessionsMs: 0,
        graceMs: 5_000,
        coordinators: [coordinator.url],
        token: () => ({}),
        environment: process.env,
        say: (line) => {
          logged.push(line);
          for (const wake of waiting) wake();
          waiting.clear();
        },
        ...options,
      });
      t.after(() => node.kill());
      return node;
    },
  };
}

test('a program becomes a node; a stop drains it, then ends the program', async (t) => {
  const { coordinator, newNode } = await setUp(t);
  const node = newNode(program("process.on('SIGTERM', () => process.exit(0))"));
  const run = node.run();
  const peer = await coordinator.peer();
  const sent = await peer.accept();
  assert.deepEqual([sent.id, sent.route, sent.balancer, sent.hosts], ['shop-1', 'r1', 'shop', ['shop.test']]);
  assert.equal(await (await fetch(`${sent.url}/hello`)).text(), '/hello');
  const { load } = await peer.next('heartbeat');
  assert.ok(process.platform !== 'linux' || (load !== undefined && load >= 0 && load <= 1));
  const stopped = node.stop('SIGTERM');
  const status = await peer.next('status');
  assert.deepEqual([status.status, status.reason], ['stopped', 'SIGTERM']);
  assert.equal((await fetch(sent.url)).status, 200, 'serves until the drain is complete');
  peer.send({ type: 'drained' });
  await peer.next('leave');
  await stopped;
  const { exitCode, readyMs } = await run;
  assert.equal(exitCode, 0);
  assert.ok(readyMs > 0);
});

test('placeholders and environment give the program its port, route and id', async (t) => {
  const { coordinator, newNode } = await setUp(t);
  const report = `require('node:fs');const e=process.env;process.title='x';
    require('node:http').createServer((q,a)=>a.end(JSON.stringify([process.argv.slice(1),e.PORT,e.ROLLCALL_ROUTE,e.ROLLCALL_NODE_ID,e.ROLLCALL_NODE.replace(/[^#]*#/,'#').length]))).listen(e.PORT)`;
  const port = await freePort();
  const node = newNode([process.execPath, '-e', report, '--', '-Dport={port}', '{route}/{id}', '{other}'], { port });
  const run = node.run();
  const peer = await coordinator.peer();
  const sent = await peer.accept();
  const body = (await (await fetch(sent.url)).json()) as unknown;
  const words = [`-Dport=${port}`, 'r1/shop-1', '{other}'];
  assert.deepEqual(body, [words, String(port), 'r1', 'shop-1', 33]);
  node.kill();
  assert.equal((await run).exitCode, 137);
});

test('when the program dies, the node leaves at once and the wrapper exits with its code', async (t) => {
  const { coordinator, newNode } = await setUp(t);
  const node = newNode(program("process.on('SIGUSR2', () => process.exit(7)); console.log = 0"));
  const run = node.run();
  const peer = await coordinator.peer();
  const sent = await peer.accept();
  await peer.next('heartbeat');
  assert.ok(sent.url);
  const own = processTree(process.pid).filter((entry) => entry.parent === process.pid && entry.session === entry.pid);
  process.kill(own.at(-1)!.pid, 'SIGUSR2');
  await peer.next('leave');
  assert.equal((await run).exitCode, 7);
});

test('a program that listens on another port is ended, and the message names that port', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const { newNode } = await setUp(t);
  const elsewhere = await freePort();
  const { exitCode, readyMs, cause } = await newNode([...program(), String(elsewhere)], {
    readyTimeoutMs: 6_000,
  }).run();
  assert.deepEqual([exitCode, readyMs], [1, 0]);
  assert.match(cause, new RegExp(`was refused: pid \\d+ \\(.+\\) listens on ${elsewhere}: use --port ${elsewhere}$`));
});

test('a program that answers only errors is not ready, and another path can be configured', async (t) => {
  const { newNode, coordinator } = await setUp(t);
  const picky = `require('node:http').createServer((q,a)=>{a.statusCode=q.url==='/up'?204:503;a.end()}).listen(process.env.PORT)`;
  const command = [process.execPath, '-e', picky];
  const { exitCode, cause } = await newNode(command, { readyTimeoutMs: 2_000 }).run();
  assert.equal(exitCode, 1);
  assert.match(
    cause,
    /^not ready after 2 s: GET \/ at 127\.0\.0\.1:\d+ was answered with 503: use --ready PATH .*--ready-timeout$/,
  );
  const node = newNode(command, { readyPath: '/up' });
  const run = node.run();
  const peer = await coordinator.peer();
  await peer.accept();
  await peer.next('heartbeat');
  node.kill();
  await run;
});

test('a command that does not exist is 127, and a program that ends before it is ready keeps its code', async (t) => {
  const { newNode } = await setUp(t);
  assert.deepEqual(await newNode(['/nonexistent/program']).run(), {
    exitCode: 127,
    readyMs: 0,
    cause: 'cannot start /nonexistent/program: there is no such command',
  });
  assert.deepEqual(await newNode([process.execPath, '-e', 'process.exit(9)']).run(), {
    exitCode: 9,
    readyMs: 0,
    cause: 'the program has ended with 9 before it was ready',
  });
});

test('a taken port is reported with its holder, and the program is not started', async (t) => {
  const { newNode } = await setUp(t);
  const server = createServer((socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const { exitCode, cause } = await newNode(program(), { port }).run();
  assert.equal(exitCode, 1);
  assert.match(cause, new RegExp(`^port ${port} is taken by`));
});

test('remaining processes of a program that died are ended', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const { newNode } = await setUp(t);
  const node = newNode(['sh', '-c', 'sleep 600 & exit 3']);
  const before = new Set(processTree(process.pid).map((entry) => entry.pid));
  assert.equal((await node.run()).exitCode, 3);
  const left = processTree(process.pid).filter((entry) => !before.has(entry.pid));
  assert.deepEqual(left, []);
});

test('a program that ignores SIGTERM is killed after the grace', async (t) => {
  const { coordinator, newNode } = await setUp(t);
  const node = newNode(program("process.on('SIGTERM', () => {})"), { graceMs: 100, drainRequestsMs: 700 });
  const run = node.run();
  const peer = await coordinator.peer();
  await peer.accept();
  await peer.next('heartbeat');
  const stopped = node.stop('SIGINT');
  assert.equal((await peer.next('status')).deadlineMs, 700, 'requests in flight have their own time limit');
  peer.send({ type: 'drained' });
  await stopped;
  assert.equal((await run).exitCode, 137);
});

test('a program that is stopped before it is ready gets SIGTERM at once', async (t) => {
  const { newNode } = await setUp(t);
  const silent = `process.on('SIGTERM', () => process.exit(4));
    require('node:net').createServer(() => {}).listen(process.env.PORT, '127.0.0.1');`;
  const port = await freePort();
  const node = newNode([process.execPath, '-e', silent], { port, drainSessionsMs: 300_000 });
  const run = node.run();
  while (!(await isAccepting(port, ['127.0.0.1']))) await new Promise((resolve) => setTimeout(resolve, 20));
  await node.stop('SIGTERM');
  assert.equal((await run).exitCode, 4);
});

test('a frozen program sends no heartbeats until it resumes', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const { coordinator, newNode, untilLogged } = await setUp(t);
  const node = newNode(program("process.on('SIGTERM', () => process.exit(0))"));
  const run = node.run();
  const peer = await coordinator.peer();
  await peer.accept({ heartbeatMs: 50 });
  await peer.next('heartbeat');
  const own = processTree(process.pid).filter((entry) => entry.parent === process.pid && entry.session === entry.pid);
  const { pid } = own.at(-1)!;
  process.kill(pid, 'SIGSTOP');
  await untilLogged('does not accept connections');
  const silentAt = peer.received.length;
  process.kill(pid, 'SIGCONT');
  await untilLogged('accepts connections again');
  assert.ok(peer.received.length - silentAt <= 1);
  await peer.next('heartbeat');
  node.kill();
  await run;
});

test('a frozen program that was declared gone does not return before it answers', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const { coordinator, newNode, untilLogged, logged } = await setUp(t);
  const node = newNode(program("process.on('SIGTERM', () => process.exit(0))"));
  const run = node.run();
  const peer = await coordinator.peer();
  await peer.accept({ heartbeatMs: 50 });
  await peer.next('heartbeat');
  const own = processTree(process.pid).filter((entry) => entry.parent === process.pid && entry.session === entry.pid);
  const { pid } = own.at(-1)!;
  process.kill(pid, 'SIGSTOP');
  await untilLogged('does not accept connections');
  peer.cut();
  await untilLogged('lost the coordinator');
  const again = coordinator.peer().then((next) => {
    logged.push('came back');
    return next;
  });
  process.kill(pid, 'SIGCONT');
  await (await again).accept();
  assert.ok(logged.findIndex((line) => line.includes('accepts connections again')) < logged.indexOf('came back'));
  node.kill();
  await run;
});

test('while another process has its id the program keeps running, and a stop ends it', async (t) => {
  const { coordinator, newNode, untilLogged } = await setUp(t);
  const node = newNode(program("process.on('SIGTERM', () => process.exit(0))"));
  const run = node.run();
  const peer = await coordinator.peer();
  await peer.accept();
  peer.send({ type: 'error', code: 'superseded', message: 'a newer process has the id shop-1' });
  peer.close(4409);
  await untilLogged('until shop-1 is free');
  await node.stop('SIGTERM');
  assert.equal((await run).exitCode, 0);
});

test('a missing coordinator is logged once, and the program runs anyway', async (t) => {
  const { coordinator, newNode, untilLogged, logged } = await setUp(t);
  const gone = await startScriptedCoordinator();
  await gone.close();
  const node = newNode(program(), { coordinators: [gone.url] });
  const run = node.run();
  await untilLogged('connection refused');
  assert.equal(logged.filter((line) => line.includes('cannot connect')).length, 1);
  assert.ok(coordinator.url);
  await node.stop('SIGTERM');
  assert.equal((await run).exitCode, 143);
});

test('the program of a node that an operator has removed is ended, and its owner is informed', async (t) => {
  const { coordinator, newNode, untilLogged } = await setUp(t);
  let removals = 0;
  const node = newNode(program(), {
    onRemoved: () => {
      removals += 1;
      void node.stop('removed', 0);
    },
  });
  const run = node.run();
  const peer = await coordinator.peer();
  await peer.accept();
  peer.send({ type: 'error', code: 'removed', message: 'node shop-1 was removed by admin' });
  peer.close(4403);
  await run;
  assert.equal(removals, 1);
  assert.match(await untilLogged('removed from the cluster'), /removed by admin; the program is ended$/);
});
