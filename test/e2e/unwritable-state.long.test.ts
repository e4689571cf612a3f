/** `up` and its control process with a state directory that cannot be written: they start, serve, report it, and catch up. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import type { BalancerResource, StatusResource, WriteResult } from '@rollcall/protocol';
import { ROLLCALL } from '../site/commands.ts';
import { until } from './up.ts';

const ADMIN_TOKEN = 'admin-token-of-the-test';
const OTHER_USER = 65_534;

/** Commands that make a state directory unwritable. `$1` is an empty directory. */
interface Fault {
  /** Run in a mount namespace before `up`; with none `up` runs without one. */
  readonly mount?: string | undefined;
  /** Repairs it, in the same namespace. */
  readonly repair?: string;
  /** Path of the state directory below the empty one. */
  readonly state: string;
  readonly prepare?: (folder: string) => void;
  readonly uid?: number;
  readonly code: RegExp;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  full: {
    mount: 'mount -t tmpfs -o size=64k rollcall "$1" && { cat /dev/zero > "$1/filler"; true; } 2>/dev/null',
    repair: 'rm "$1/filler"',
    state: '.',
    code: /ENOSPC/,
  },
  'on a read-only disk': {
    mount: 'mount -t tmpfs -o ro rollcall "$1"',
    repair: 'mount -o remount,rw "$1"',
    state: 'not-there',
    code: /EROFS/,
  },
  'in the place of a file': {
    prepare: (folder) => writeFileSync(join(folder, 'state'), ''),
    repair: 'rm "$1/state"',
    state: 'state',
    code: /EEXIST|ENOTDIR/,
  },
  'of another user': {
    prepare: (folder) => {
      mkdirSync(join(folder, 'state'), { mode: 0o700 });
      chmodSync(folder, 0o755);
    },
    repair: `chown ${OTHER_USER} "$1/state"`,
    state: 'state',
    uid: OTHER_USER,
    code: /EACCES/,
  },
};

for (const [what, fault] of Object.entries(FAULTS))
  test(`a state directory ${what}: up serves, reports it, survives a kill of its control process and catches up`, {
    timeout: 90_000,
    skip: missingFor(fault),
  }, async (t) => {
    const up = await startUp(t, fault, { ROLLCALL_ADMIN_TOKEN: ADMIN_TOKEN });
    assert.match(up.stderr[0] ?? '', /^rollcall: cannot lock the state directory .*the control port is the lock$/);
    assert.match(up.stderr[0] ?? '', fault.code);
    const status = await up.api<StatusResource>('GET', '/v1/status');
    assert.deepEqual([status.state.directory, status.state.isWritable], [up.stateDir, false]);
    assert.match(status.state.lastError ?? '', fault.code);
    assert.match(status.advice.join('\n'), /state directory .* cannot be written .*kept in memory/);

    const second = await ended(fault, up.folder, ['--control', `127.0.0.1:${new URL(up.controlUrl).port}`]);
    assert.match(second, /port \d+ is taken by .*: choose another with --control/);

    const node = createServer((_, response) => response.end('hello'));
    node.listen(0, '127.0.0.1');
    t.after(() => node.close());
    await once(node, 'listening');
    const url = `http://127.0.0.1:${(node.address() as AddressInfo).port}`;
    const added = await up.api<WriteResult>('PUT', '/v1/nodes/n1', { url });
    assert.equal(added.pending, true, added.message);
    assert.match(added.message, fault.code);
    await until(async () => (await fetch(up.proxyUrl)).ok, 'the site to serve');

    process.kill(up.pids.control, 'SIGKILL');
    await until(async () => {
      const { epoch, state } = await up.api<StatusResource>('GET', '/v1/status');
      return epoch !== status.epoch && !state.isWritable;
    }, 'the control process to be back');
    const again = await up.api<WriteResult>('PUT', '/v1/nodes/n1', { url });
    assert.equal(again.pending, true, again.message);
    await until(async () => (await fetch(up.proxyUrl)).ok, 'the site to serve again');
    up.repair();
    await until(async () => {
      const { state, store, advice } = await up.api<StatusResource>('GET', '/v1/status');
      return state.isWritable && store.waiting === 0 && !advice.join('\n').includes('cannot be written');
    }, 'the state to be written');
    const stored = await up.api<WriteResult>('POST', '/v1/nodes/n1/drain', { force: true });
    assert.equal(stored.pending, undefined, stored.message);
    await until(async () => up.files().includes('lock'), 'the lock');
    assert.equal(up.stderr.filter((line) => line.includes('cannot lock')).length, 1, up.stderr.join('\n'));
    const drafts = (): string[] =>
      up.files().filter((file) => file.includes('.tmp') || /^(tokens\.json|admin-token)\./.test(file));
    // A draft that is being written is not a leftover.
    await until(async () => drafts().length === 0, 'the drafts to be gone');
    assert.ok(up.files().includes('tokens.json') && !up.files().includes('admin-token'), up.files().join(' '));
  });

test('without an admin token on disk or in the environment, reading works and writing is refused', {
  timeout: 180_000,
}, async (t) => {
  const up = await startUp(t, FAULTS['in the place of a file']!, {});
  const { advice } = await up.api<StatusResource>('GET', '/v1/status');
  assert.match(advice.join('\n'), /There is no admin token in this run: .*ROLLCALL_ADMIN_TOKEN/);
  await assert.rejects(up.api('POST', '/v1/balancers/shop/drain', {}), /401/);
  assert.ok(!existsSync(join(up.folder, 'admin-token')));
});

const NOW_READ_ONLY: Fault = {
  mount: 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"',
  state: 'state',
  code: /EROFS/,
};

test('the state of a killed run on a disk that is now read-only is read, and its admin token works', {
  timeout: 90_000,
  skip: missingFor(NOW_READ_ONLY),
}, async (t) => {
  const node = createServer((_, response) => response.end('hello'));
  node.listen(0, '127.0.0.1');
  t.after(() => node.close());
  await once(node, 'listening');
  const folder = scratch(t);
  const first = await startUp(t, { ...NOW_READ_ONLY, mount: undefined }, {}, folder);
  const url = `http://127.0.0.1:${(node.address() as AddressInfo).port}`;
  await first.api('PUT', '/v1/nodes/n1', { balancer: 'shop', url });
  await first.api('PATCH', '/v1/balancers/shop', { retries: 7 });
  for (const pid of [first.pids.supervisor, first.pids.control]) process.kill(pid, 'SIGKILL');
  const left = readdirSync(first.stateDir);
  assert.ok(left.includes('cluster.journal'), left.join(' '));

  const up = await startUp(t, NOW_READ_ONLY, {}, folder);
  const { retries } = await up.api<BalancerResource>('GET', '/v1/balancers/shop');
  assert.equal(retries, 7);
  await until(async () => (await fetch(up.proxyUrl)).ok, 'the site to serve');
  const { pending, message } = await up.api<WriteResult>('PATCH', '/v1/nodes/n1', { weight: 2 });
  assert.equal(pending, true, message);
  assert.match(message, NOW_READ_ONLY.code);
});

/** Reason why a fault cannot be made here; `false` if it can. */
function missingFor({ mount, uid }: Fault): string | false {
  if (uid !== undefined && process.getuid?.() !== 0) return 'only root starts programs of other users';
  if (mount === undefined) return false;
  try {
    execFileSync('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs rollcall /mnt'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'mount namespaces are not available: run as root, in a container with --privileged';
  }
}

interface RunningUp {
  readonly folder: string;
  readonly stateDir: string;
  readonly controlUrl: string;
  readonly proxyUrl: string;
  readonly pids: { readonly supervisor: number; readonly control: number };
  readonly stderr: readonly string[];
  api<Body>(method: string, path: string, body?: object): Promise<Body>;
  repair(): void;
  /** Content of the state directory, as `up` sees it. */
  files(): string[];
}

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-state-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function startUp(
  t: TestContext,
  fault: Fault,
  environment: NodeJS.ProcessEnv,
  folder: string = scratch(t),
): Promise<RunningUp> {
  fault.prepare?.(folder);
  const child = spawnUp(fault, folder, ['--control', '127.0.0.1:0', '--json'], environment);
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  const stderr: string[] = [];
  createInterface({ input: child.stderr! }).on('line', (line) => stderr.push(line));
  const early = once(child, 'exit').then(([code]) => {
    throw new Error(`up ended with ${code}:\n${stderr.join('\n')}`);
  });
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout! }), 'line'), early])) as [string];
  early.catch(() => {});
  const ready = JSON.parse(line) as Pick<RunningUp, 'controlUrl' | 'proxyUrl' | 'pids' | 'stateDir'>;
  const inside = (path: string): string => join(`/proc/${ready.pids.supervisor}/root`, path);
  return {
    ...ready,
    folder,
    stderr,
    api: async <Body>(method: string, path: string, body?: object): Promise<Body> => {
      const token = environment['ROLLCALL_ADMIN_TOKEN'] ?? tokenIn(ready.stateDir);
      const response = await fetch(ready.controlUrl + path, {
        method,
        headers: { ...(token && { authorization: `Bearer ${token}` }), 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${response.status} ${text}`);
      return JSON.parse(text) as Body;
    },
    repair: () => {
      const script = ['sh', '-c', fault.repair ?? 'true', 'sh', folder];
      const [command, ...args] = fault.mount ? ['nsenter', '-t', `${ready.pids.supervisor}`, '-m', ...script] : script;
      execFileSync(command!, args);
    },
    files: () => readdirSync(inside(ready.stateDir)),
  };
}

function tokenIn(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, 'admin-token'), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Output of a second `up`, which must end by itself. */
async function ended(fault: Fault, folder: string, flags: readonly string[]): Promise<string> {
  const child = spawnUp({ ...fault, mount: undefined }, folder, flags, {});
  let text = '';
  child.stderr!.on('data', (chunk) => {
    text += String(chunk);
  });
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 1, text);
  return text;
}

function spawnUp(
  { mount, state, uid }: Fault,
  folder: string,
  flags: readonly string[],
  environment: NodeJS.ProcessEnv,
): ChildProcess {
  const up = ['up', '--proxy', '127.0.0.1:0', '--state-dir', join(folder, state), '--log-level', 'warn', ...flags];
  const node = [process.execPath, ROLLCALL, ...up];
  const mounted = ['unshare', '--mount', 'sh', '-c', `${mount}; shift; exec "$@"`, 'sh', folder, ...node];
  const [command, ...args] = mount === undefined ? node : mounted;
  const { ROLLCALL_ADMIN_TOKEN: _, ...inherited } = process.env;
  return spawn(command!, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inherited, ...environment },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}
