/** `rollcall up` on free ports, with its admin API. For tests. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { NodeResource, StatusResource } from '@rollcall/protocol';
import { ROLLCALL, TYPESCRIPT } from '../site/commands.ts';

const SECOND_WORKER = fileURLToPath(new URL('./second-worker.ts', import.meta.url));
const WAIT_MS = 60_000;

export interface Up {
  readonly proxyUrl: string;
  readonly controlUrl: string;
  /** Everything it has logged so far, line by line. */
  readonly log: readonly string[];
  /** Asks the admin API as an admin; rejects with status and body unless it agrees. */
  api<Body>(method: string, path: string, body?: object): Promise<Body>;
  /** Makes the program at `url` a node of `HOST.test`, and waits until the proxy knows that it is up. */
  member(id: string, balancer: string, url: string, more?: object): Promise<void>;
  /** Starts another worker process beside its own, which follows the feed at `feedUrl`; ends with `close`. */
  worker(name: string, feedUrl?: string): Promise<{ readonly url: string; readonly process: ChildProcess }>;
  /** Output of a CLI command for this cluster. */
  command(...args: string[]): Promise<string>;
  close(): Promise<void>;
}

export async function startUp(...flags: readonly string[]): Promise<Up> {
  const stateDir = mkdtempSync(join(tmpdir(), 'rollcall-up-'));
  const token = randomBytes(16).toString('hex');
  const sha256 = createHash('sha256').update(token).digest('hex');
  const tokens = { version: 1, tokens: [{ name: 'more-workers', role: 'proxy', sha256 }] };
  writeFileSync(join(stateDir, 'tokens.json'), JSON.stringify(tokens), { mode: 0o600 });
  const others: ChildProcess[] = [];
  const ports = ['--proxy', '127.0.0.1:0', '--control', '127.0.0.1:0', '--store', 'memory', '--log-level', 'info'];
  const args = [ROLLCALL, 'up', ...ports, '--state-dir', stateDir, '--json', ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const log: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`up ended with ${code} before it served:\n${log.join('\n')}`);
  });
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])) as [string];
  ended.catch(() => {});
  const { proxyUrl, controlUrl } = JSON.parse(line) as { proxyUrl: string; controlUrl: string };
  const api = async <Body>(method: string, path: string, body?: object): Promise<Body> => {
    const adminToken = readFileSync(join(stateDir, 'admin-token'), 'utf8').trim();
    const response = await fetch(controlUrl + path, {
      method,
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Body;
  };
  return {
    proxyUrl,
    controlUrl,
    log,
    api,
    member: async (id, balancer, url, more = {}) => {
      await api('PUT', `/v1/nodes/${id}`, { balancer, url, route: id, hosts: [`${balancer}.test`], ...more });
      await until(async () => {
        const { liveness } = await api<NodeResource>('GET', `/v1/nodes/${id}`);
        const { revision, workers } = await api<StatusResource>('GET', '/v1/status');
        return liveness === 'up' && workers.length > 0 && workers.every((worker) => worker.revision === revision);
      }, `${id} to be up`);
    },
    worker: async (name, feedUrl = controlUrl) => {
      const about = JSON.stringify({ feedUrl, token, name });
      const other = spawn(process.execPath, [...TYPESCRIPT, SECOND_WORKER, about], {
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      });
      others.push(other);
      const [said] = (await once(createInterface({ input: other.stdout! }), 'line')) as [string];
      return { url: `http://127.0.0.1:${(JSON.parse(said) as { port: number }).port}`, process: other };
    },
    command: (...words) =>
      new Promise((resolve, reject) => {
        const about = ['--coordinator', controlUrl, '--state-dir', stateDir];
        execFile(process.execPath, [ROLLCALL, ...words, ...about], (error, stdout) =>
          error ? reject(error) : resolve(stdout),
        );
      }),
    close: async () => {
      for (const other of others) other.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** Polls until the condition holds. A condition that throws does not hold yet. */
export async function until(isSo: () => Promise<boolean>, what: string, withinMs: number = WAIT_MS): Promise<void> {
  const endMs = Date.now() + withinMs;
  while (Date.now() < endMs) {
    if (await isSo().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited ${withinMs} ms for ${what}`);
}
