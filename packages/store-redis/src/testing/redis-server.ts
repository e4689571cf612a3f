/** A redis-server of a test's own, in a temporary folder, on a port that nobody else uses. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export interface RedisServer {
  readonly url: string;
  /** Ends it as a crash would. What it has written is in its append-only file, though not synced to the disk. */
  kill(): Promise<void>;
  /** Starts it again on the same port and the same data. */
  restart(): Promise<void>;
  /** Makes it stand still without closing anything; `resume` lets it go on. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

/** The binary by `REDIS_SERVER` or on the PATH; `undefined` when there is none. */
export function findRedisServer(): string | undefined {
  const named = process.env['REDIS_SERVER'];
  if (named) return isExecutable(named) ? named : undefined;
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of ['redis-server', 'valkey-server'])
      if (folder !== '' && isExecutable(join(folder, name))) return join(folder, name);
  return undefined;
}

/** What a test that was skipped says. */
export const HOW_TO_INSTALL =
  'redis-server was not found: install the Debian package redis-server, or set REDIS_SERVER to its path';

/** Starts a server. A port that was taken in between is replaced by another, a few times. */
export async function startRedisServer(binary: string): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-redis-'));
  let port = 0;
  let child: ChildProcess | undefined;
  for (let attempt = 1; child === undefined; attempt++) {
    port = await freePort();
    child = await spawnRedis(binary, folder, port).catch((error: unknown) => {
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
    kill,
    restart: async () => {
      await kill();
      current = await spawnRedis(binary, folder, port);
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

function spawnRedis(binary: string, folder: string, port: number): Promise<ChildProcess> {
  const settings = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', '--appendfsync', 'no'];
  const child = spawn(binary, ['--port', String(port), '--dir', folder, ...settings], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return new Promise((resolve, reject) => {
    let printed = '';
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}: ${printed.slice(-500)}`)));
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      printed = (printed + text).slice(-10_000);
      if (/Ready to accept connections/i.test(printed)) resolve(child);
    });
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address) resolve(address.port);
        else reject(new Error('no port'));
      });
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
