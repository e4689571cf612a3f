/** A redis-server or Sentinel for one test file, in a temporary folder, on a free port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from '@rollcall/core/testing';

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Kills it with SIGKILL. Its writes are in the append-only file, but not synced to the disk. */
  kill(): Promise<void>;
  /** Starts it again with the same port and data, or without the data. */
  restart(options?: { readonly isEmpty?: boolean }): Promise<void>;
  /** Suspends the process; its connections stay open. `resume` continues it. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

/** Path of the binary, from `REDIS_SERVER` or the PATH; `undefined` if not found. */
export function findRedisServer(): string | undefined {
  const named = process.env['REDIS_SERVER'];
  if (named) return isExecutable(named) ? named : undefined;
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of ['redis-server', 'valkey-server'])
      if (folder !== '' && isExecutable(join(folder, name))) return join(folder, name);
  return undefined;
}

/** Reason of skipped tests. */
export const HOW_TO_INSTALL =
  'redis-server was not found: install the Debian package redis-server, or set REDIS_SERVER to its path';

export interface RedisServerOptions {
  /** Added to the command line, such as `['--requirepass', 'secret']`. */
  readonly settings?: readonly string[];
  /** Text of the configuration file of a Sentinel. The server is a Sentinel if it is there. */
  readonly sentinel?: string;
}

/** Starts a server. If another process takes the port first, it retries with another port, at most 5 times in all. */
export async function startRedisServer(binary: string, options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-redis-'));
  let port = 0;
  let child: ChildProcess | undefined;
  for (let attempt = 1; child === undefined; attempt++) {
    port = await freePort();
    child = await spawnRedis(binary, folder, port, options).catch((error: unknown) => {
      if (attempt === 5) throw error;
      return undefined;
    });
  }
  let current = child;
  const kill = async (): Promise<void> => {
    if (current.exitCode !== null || current.signalCode !== null) return;
    const exited = new Promise((resolve) => current.once('exit', resolve));
    current.kill('SIGKILL');
    await exited;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill,
    restart: async ({ isEmpty = false } = {}) => {
      await kill();
      if (isEmpty) rmSync(join(folder, 'appendonlydir'), { recursive: true, force: true });
      current = await spawnRedis(binary, folder, port, options);
    },
    pause: () => {
      current.kill('SIGSTOP');
    },
    resume: () => {
      current.kill('SIGCONT');
    },
    close: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function spawnRedis(
  binary: string,
  folder: string,
  port: number,
  { settings = [], sentinel }: RedisServerOptions,
): Promise<ChildProcess> {
  const file = join(folder, 'sentinel.conf');
  if (sentinel !== undefined) writeFileSync(file, sentinel);
  const persistence = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'no'];
  const own = sentinel === undefined ? persistence : [];
  const first = sentinel === undefined ? [] : [file, '--sentinel'];
  const args = [...first, '--port', String(port), '--bind', '127.0.0.1', '--dir', folder, ...own, ...settings];
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  return new Promise((resolve, reject) => {
    let printed = '';
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}: ${printed.slice(-500)}`)));
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      printed = (printed + text).slice(-10_000);
      if (/Ready to accept connections|\+monitor master/i.test(printed)) resolve(child);
    });
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
