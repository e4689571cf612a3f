/** A node has one agent: programs with the SDK under `rollcall run`, and the workers of one port. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, beforeEach, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { NodeResource } from '@rollcall/protocol';
import { makeAuthority } from '@rollcall/proxy/testing';
import { ROLLCALL, TYPESCRIPT } from '../site/commands.ts';
import { startUp, type Up, until } from './up.ts';

const PROGRAM = fileURLToPath(new URL('./agent-programs/reporting.ts', import.meta.url));

interface Line {
  readonly event: string;
  readonly pid: number;
  readonly [field: string]: unknown;
}

let up: Up;

before(async () => {
  up = await startUp('--workers', '1');
});

after(() => up.close());

beforeEach(() => until(async () => (await present()).length === 0, 'the nodes of the test before to leave'));

/** Time limit for a program to start, or to replace its workers one by one, milliseconds. */
const PROGRAM_MS = 150_000;

class Started {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  readonly said: string[] = [];
  readonly temporary = mkdtempSync(join(tmpdir(), 'one-voice-'));

  /** With `flags` under `rollcall run`, without by itself. */
  constructor(t: TestContext, environment: Readonly<Record<string, string>>, flags?: readonly string[]) {
    const program = [...TYPESCRIPT, PROGRAM];
    const args =
      flags === undefined
        ? program
        : [ROLLCALL, 'run', '--slot-dir', join(this.temporary, 'slots'), ...flags, '--', process.execPath, ...program];
    this.child = spawn(process.execPath, args, {
      env: { ...process.env, ROLLCALL_URL: up.controlUrl, TMPDIR: this.temporary, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.lines.push(JSON.parse(line) as Line));
    createInterface({ input: this.child.stderr! }).on('line', (line) => this.said.push(line));
    t.after(() => this.close());
  }

  async first(event: string, isIt: (line: Line) => boolean = () => true): Promise<Line> {
    await until(
      async () => this.lines.some((line) => line.event === event && isIt(line)),
      `${event}: ${this.said.join('\n')}`,
      PROGRAM_MS,
    );
    return this.lines.find((line) => line.event === event && isIt(line))!;
  }

  async ended(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }

  async close(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM');
      await once(this.child, 'exit');
    }
    rmSync(this.temporary, { recursive: true, force: true });
  }
}

async function present(): Promise<readonly NodeResource[]> {
  const { nodes } = await up.api<{ nodes: readonly NodeResource[] }>('GET', '/v1/nodes');
  return nodes.filter(({ liveness }) => liveness === 'up' || liveness === 'suspect');
}

async function only(isIt: (node: NodeResource) => boolean, what: string): Promise<NodeResource> {
  await until(async () => {
    const nodes = await present();
    return nodes.length === 1 && isIt(nodes[0]!);
  }, what);
  return (await present())[0]!;
}

/** The proxy knows of the node as well. */
function served(answer: string): Promise<void> {
  return until(async () => (await (await fetch(up.proxyUrl)).text()) === answer, `${answer} to answer`);
}

/** The number that the node reports, of both kinds: requests without cookies are sessions seen once. */
const reported = ({ sessions, sessionsSeenOnce }: NodeResource): number => sessions + sessionsSeenOnce;
const hasOwnNumbers = (node: NodeResource): boolean => reported(node) === 7 && (node.load ?? 0) >= 0.9;

test('under run the SDK reports through the wrapper: numbers, readiness, status, drain', async (t) => {
  const started = new Started(t, { SDK_OPTIONS: JSON.stringify({ balancer: 'shop', token: 'not-used' }) }, []);
  const node = await only(hasOwnNumbers, 'its own numbers');
  assert.equal(node.balancer, 'shop');
  const { pid } = await started.first('registered');
  const [socket] = readdirSync(started.temporary).filter((name) => name.startsWith('rollcall-'));
  assert.equal(statSync(join(started.temporary, socket!, 'node.sock')).mode & 0o777, 0o600);
  await served(String(pid));
  await fetch(`${up.proxyUrl}/not-ready`);
  await only(({ isReady }) => isReady === false, 'not ready');
  await fetch(`${up.proxyUrl}/ready`);
  await only(({ isReady }) => isReady !== false, 'ready again');
  await up.api('POST', `/v1/nodes/${node.id}/drain`, { reason: 'deploy', force: true });
  await started.first('status', ({ value }) => (value as { status: string }).status === 'draining');
  await up.api('POST', `/v1/nodes/${node.id}/enable`, {});
  process.kill(pid, 'SIGTERM');
  await started.first('drained');
  assert.equal(await started.ended(), 143);
  await until(async () => (await present()).length === 0, 'no node');
  assert.deepEqual(
    started.said.filter((line) => /superseded|token/.test(line)),
    [],
  );
});

test('another process of the program gets one error and is not a node, and its end has no effect', async (t) => {
  const started = new Started(t, { MODE: 'forks' }, []);
  const error = await started.first('error');
  assert.match((error['value'] as { message: string }).message, /serves port \d+ and is not registered/);
  const node = await only(hasOwnNumbers, 'one node');
  const { pid } = await started.first('registered');
  assert.notEqual(error.pid, pid);
  await served(String(pid));
  process.kill(error.pid, 'SIGTERM');
  for (let i = 0; i < 10; i++) assert.equal(await (await fetch(up.proxyUrl)).text(), String(pid));
  assert.equal((await present())[0]?.id, node.id);
  assert.equal(started.lines.filter((line) => line.event === 'log' && line.pid === error.pid).length, 1);
});

test('when the connection of the SDK is lost, the wrapper continues with its own measurements', async (t) => {
  const started = new Started(t, { MODE: 'beside' }, []);
  const { pid } = await started.first('registered');
  const node = await only(hasOwnNumbers, 'the numbers of the SDK');
  await served('alone');
  process.kill(pid, 'SIGKILL');
  await only(({ id, metrics }) => id === node.id && metrics?.['processes'] !== undefined, 'the numbers of the wrapper');
  assert.equal(await (await fetch(up.proxyUrl)).text(), 'alone');
});

test('workers of node:cluster are one node: numbers are added, and it leaves with the last one', async (t) => {
  const started = new Started(t, { MODE: 'cluster', WORKERS: '3' });
  const { pids } = (await started.first('workers')) as unknown as { pids: number[] };
  const node = await only((node) => reported(node) === 21, 'the sessions of three workers');
  for (const pid of pids) await started.first('registered', (line) => line.pid === pid);
  const answers = async (): Promise<void> => {
    const statuses = await Promise.all(
      Array.from({ length: 20 }, () => fetch(up.proxyUrl).then(({ status }) => status)),
    );
    assert.deepEqual(new Set(statuses), new Set([200]));
  };
  await until(async () => (await fetch(up.proxyUrl)).status === 200, 'a worker to answer');
  // The one that speaks for all. What the primary process hands to a worker that was killed is lost until it knows.
  process.kill(pids[0]!, 'SIGKILL');
  await started.first('exit');
  await answers();
  await only((node) => reported(node) === 14, 'the sessions of two workers');
  process.kill(pids[1]!, 'SIGTERM');
  await answers();
  const left = await only((node) => reported(node) === 7, 'the sessions of one worker');
  assert.equal(left.id, node.id);
  process.kill(pids[2]!, 'SIGTERM');
  await until(async () => (await present()).length === 0, 'no node');
});

test('under run workers of node:cluster are one node as well', async (t) => {
  const started = new Started(t, { MODE: 'cluster', WORKERS: '3' }, []);
  const { pids } = (await started.first('workers')) as unknown as { pids: number[] };
  await only((node) => reported(node) === 21, 'the sessions of three workers');
  await until(async () => (await fetch(up.proxyUrl)).status === 200, 'a worker to answer');
  process.kill(pids[0]!, 'SIGTERM');
  await only((node) => reported(node) === 14, 'the sessions of two workers');
  assert.equal((await fetch(up.proxyUrl)).status, 200);
});

test('a program that speaks TLS is ready by its SDK, and is announced as https', async (t) => {
  const authority = makeAuthority(t);
  const { cert, key } = authority.issue('node', ['127.0.0.1']);
  const started = new Started(t, { MODE: 'https', TLS_CERT: cert, TLS_KEY: key }, ['--ready-timeout', '20s']);
  const node = await only(hasOwnNumbers, 'its own numbers');
  assert.match(node.url, /^https:\/\/127\.0\.0\.1:\d+$/);
  await started.first('registered');
});

test('of two wrappers with one derived id the earlier continues under another id, and both report the remedy', async (t) => {
  const first = new Started(t, {}, []);
  const node = await only(hasOwnNumbers, 'the first one');
  const other = new Started(t, {}, []);
  await until(async () => (await present()).length === 2, 'both');
  const ids = (await present()).map(({ id }) => id).sort();
  assert.equal(ids[0], node.id);
  assert.match(ids[1]!, new RegExp(`^${node.id}-[0-9a-f]{4}$`));
  for (const { said } of [first, other])
    await until(async () => said.some((line) => line.includes('--id')), `what to set: ${said.join('\n')}`);
  const answers = new Set<string>();
  await until(async () => answers.add(await (await fetch(up.proxyUrl)).text()).size === 2, 'both to serve');
});

test('of two wrappers with one given id the earlier waits until the id is free', async (t) => {
  const first = new Started(t, {}, ['--id', 'wiki-1']);
  await only(hasOwnNumbers, 'the first one');
  const { pid } = await first.first('registered');
  const second = new Started(t, {}, ['--id', 'wiki-1']);
  await until(async () => first.said.some((line) => line.includes('until wiki-1 is free')), 'the first one to wait');
  await second.close();
  await until(async () => (await (await fetch(up.proxyUrl)).text()) === String(pid), 'the first one to return', 60_000);
});

test('beside join a program with the SDK reports to it, when both are given one socket', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'beside-join-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const shared = { ROLLCALL_NODE: `unix:${join(directory, 'node.sock')}#${'s'.repeat(32)}` };
  const program = new Started(t, shared);
  const { port } = await program.first('listening');
  const joined = spawn(process.execPath, [ROLLCALL, 'join', `http://127.0.0.1:${port}`, '--id', 'beside'], {
    env: { ...process.env, ...shared, ROLLCALL_URL: up.controlUrl },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  t.after(async () => {
    joined.kill('SIGTERM');
    await once(joined, 'exit');
  });
  const node = await only(hasOwnNumbers, 'the numbers of the SDK');
  assert.equal(node.id, 'beside');
});

test('a rolling restart of the workers of node:cluster loses no request, and no worker is superseded', async (t) => {
  const started = new Started(t, { MODE: 'cluster', WORKERS: '3' });
  await only((node) => reported(node) === 21, 'the sessions of three workers');
  await until(async () => (await fetch(up.proxyUrl)).status === 200, 'a worker to answer');
  const { id, incarnation } = (await present())[0]!;
  started.child.kill('SIGUSR2');
  const statuses = new Map<number, number>();
  let isRolled = false;
  const client = async (): Promise<void> => {
    while (!isRolled) {
      const method = Math.random() < 0.5 ? 'GET' : 'POST';
      const { status } = await fetch(up.proxyUrl, { method });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const clients = [client(), client(), client(), client()];
  await started.first('rolled').finally(() => {
    isRolled = true;
  });
  await Promise.all(clients);
  assert.deepEqual([...statuses.keys()], [200]);
  const node = await only((node) => reported(node) === 21, 'the sessions of three new workers');
  assert.equal(node.id, id);
  // The earliest start of a process that has spoken for the node. An old worker that took over may be older than the first by some ms.
  assert.ok(node.incarnation <= incarnation, `${node.incarnation} is later than ${incarnation}`);
  assert.deepEqual(
    started.lines.filter(({ event }) => event === 'error'),
    [],
  );
});

test('workers of node:cluster whose directory was removed meet in a new one', async (t) => {
  const started = new Started(t, { MODE: 'cluster', WORKERS: '2' });
  const { pids } = (await started.first('workers')) as unknown as { pids: number[] };
  await only((node) => reported(node) === 14, 'the sessions of two workers');
  rmSync(join(started.temporary, `rollcall-${process.getuid!()}`), { recursive: true });
  process.kill(pids[0]!, 'SIGKILL');
  await started.first('exit');
  await only((node) => reported(node) === 7, 'the sessions of one worker');
  assert.deepEqual(
    started.lines.filter(({ event }) => event === 'error'),
    [],
  );
});

test('workers of node:cluster meet where the temporary directory has a long path', async (t) => {
  const started = new Started(t, { MODE: 'cluster', TMPDIR: join(tmpdir(), 'x'.repeat(100)) });
  await only((node) => reported(node) === 14, 'the sessions of two workers');
  assert.deepEqual(
    started.lines.filter(({ event }) => event === 'error' || event === 'warning'),
    [],
  );
});

test('under run the server on PORT is the node, whichever of a program listens first', async (t) => {
  const started = new Started(t, { MODE: 'two-servers' }, []);
  await only(hasOwnNumbers, 'its own numbers');
  await served('site');
  assert.deepEqual(
    started.lines.filter(({ event }) => event === 'error'),
    [],
  );
});
