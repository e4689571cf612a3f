/** `rollcall up` in its own process group, which can be ended at any moment of its start. For tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '@rollcall/core/testing';
import { ROLLCALL } from '../site/commands.ts';
import { until } from '../site/site.ts';

/** A moment of the start: this long after the command was started, after a child of it appeared, or after it served. */
export interface Moment {
  readonly after: 'spawn' | 'first child' | 'second child' | 'ready';
  readonly ms: number;
}

export interface Ending {
  readonly signal: NodeJS.Signals;
  readonly moment: Moment;
  readonly flags?: readonly string[];
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** From the signal to the end of the command, and of the last process of its group, milliseconds. */
  readonly tookMs: number;
  readonly groupMs: number;
  /** Children of the supervisor when the signal was sent. */
  readonly children: number;
  readonly output: string;
  readonly log: string;
  readonly hasLock: boolean;
}

/** Time limit for processes after the end of their supervisor, milliseconds. */
const GROUP_MS = 15_000;

/** Starts `up` and ends it at that moment. Fails when a process of it is left, or a port is taken. */
export async function endUp(t: TestContext, { signal, moment, flags = [] }: Ending): Promise<Ended> {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-ends-'));
  const ports = await freePorts(2);
  const addresses = ['--proxy', `127.0.0.1:${ports[0]}`, '--control', `127.0.0.1:${ports[1]}`];
  const up = spawn(
    process.execPath,
    [ROLLCALL, 'up', ...addresses, '--state-dir', join(directory, 'state'), '--json', ...flags],
    { cwd: directory, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const group = up.pid!;
  t.after(() => {
    for (const pid of members(group)) process.kill(pid, 'SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });
  const text = { output: '', log: '' };
  up.stdout.on('data', (octets: Buffer) => {
    text.output += octets.toString();
  });
  up.stderr.on('data', (octets: Buffer) => {
    text.log += octets.toString();
  });
  const exit = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) =>
    up.once('exit', (code, by) => resolve([code, by])),
  );
  await reached(moment.after, up, () => text.output !== '');
  await sleep(moment.ms);
  const children = members(group).filter(isChild).length;
  const startMs = performance.now();
  up.kill(signal);
  const [code, by] = await exit;
  const tookMs = performance.now() - startMs;
  while (members(group).length > 0) {
    if (performance.now() - startMs > GROUP_MS)
      throw new Error(`${members(group).length} processes are left after ${GROUP_MS} ms\n${text.log}`);
    await sleep(10);
  }
  const groupMs = performance.now() - startMs;
  for (const port of ports) await listens(port);
  const hasLock = existsSync(join(directory, 'state', 'lock'));
  return { code, signal: by, tookMs, groupMs, children, hasLock, ...text };
}

async function reached(after: Moment['after'], up: ChildProcess, isReady: () => boolean): Promise<void> {
  const children = { spawn: 0, 'first child': 1, 'second child': 2, ready: 0 }[after];
  await until(() => {
    if (up.exitCode !== null) throw new Error(`up ended by itself with ${up.exitCode}`);
    return after === 'ready' ? isReady() : members(up.pid!).filter(isChild).length >= children;
  }, `it did not come to ${after}`);
}

/** Living processes of a process group. */
function members(group: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const [state, , pgrp] = statOf(pid);
      return Number(pgrp) === group && state !== 'Z';
    });
}

/** A process that the supervisor has started. */
function isChild(pid: number): boolean {
  try {
    return /\/processes\/(?:control|worker|static)\./.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    return false;
  }
}

/** State, parent and process group, as `proc(5)` has them behind the name. */
function statOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** Resolves when the port can be listened on. */
async function listens(port: number): Promise<void> {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
  });
}

/** A store that accepts connections and never answers, as `--store` spells it. Ends with the test. */
export async function silentStore(t: TestContext): Promise<string> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
