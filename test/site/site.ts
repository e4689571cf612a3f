/** A site made of a real `rollcall up`, and of nodes that the test itself serves or starts. Ends with the test. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BalancerResource, NodePut, NodeResource, StatusResource, WriteResult } from '@rollcall/protocol';
import { ROLLCALL } from './commands.ts';

/** Time limit of each wait, milliseconds. */
const PATIENCE_MS = 60_000;

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A node served by the test. */
export interface OwnNode {
  readonly id: string;
  readonly port: number;
  readonly server: http.Server;
  /** Stops listening and cuts its connections: for the cluster it is dead. */
  stop(): Promise<void>;
}

export interface SiteOptions {
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Working directory, where `rollcall.json` is looked for. Default: one without it. */
  readonly directory?: string;
  /** Called with the state directory before `up` starts. */
  readonly prepare?: (stateDir: string) => void;
}

/** The owner that ends a site: a test, or a list of the file. */
export interface SiteOwner {
  after(close: () => Promise<void>): void;
}

export class Site {
  readonly directory: string;
  readonly #options: SiteOptions;
  readonly #children = new Set<ChildProcess>();
  readonly #servers = new Set<http.Server>();
  #up: ChildProcess | undefined;
  #controlPid = 0;
  #workers = 0;
  #log = '';
  #output = '';
  proxyPort = 0;
  /** 0 without a TLS port. */
  tlsPort = 0;
  controlUrl = '';

  private constructor(options: SiteOptions) {
    this.#options = options;
    this.directory = mkdtempSync(join(tmpdir(), 'rollcall-site-'));
  }

  static async start(owner: SiteOwner, options: SiteOptions = {}): Promise<Site> {
    const site = new Site(options);
    owner.after(() => site.#close());
    options.prepare?.(site.stateDir);
    await site.#startUp('127.0.0.1:0', '127.0.0.1:0', options.flags ?? []);
    return site;
  }

  get stateDir(): string {
    return join(this.directory, 'state');
  }

  /** Standard output of `up` so far. */
  get output(): string {
    return this.#output;
  }

  /** Log of `up` so far. */
  get log(): string {
    return this.#log;
  }

  /** Ends `up` and starts it again on the same ports and state, with other flags where given. */
  async restart(
    flags: readonly string[] = this.#options.flags ?? [],
    signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM',
  ): Promise<void> {
    const up = this.#up!;
    const exited = new Promise((resolve) => up.once('exit', resolve));
    up.kill(signal);
    await exited;
    await this.#startUp(`127.0.0.1:${this.proxyPort}`, new URL(this.controlUrl).host, flags);
  }

  signalUp(signal: NodeJS.Signals): void {
    this.#up!.kill(signal);
  }

  /** Suspends the control process, or continues it. */
  signalControl(signal: 'SIGSTOP' | 'SIGCONT'): void {
    process.kill(this.#controlPid, signal);
  }

  /** `kill -9` of the control process; resolves when its successor answers. Once for each start. */
  async killControl(): Promise<void> {
    process.kill(this.#controlPid, 'SIGKILL');
    await until(async () => {
      const answer = await fetch(`${this.controlUrl}/readyz`).catch(() => undefined);
      return answer?.ok === true;
    }, 'the control process does not come back');
  }

  async #startUp(proxy: string, control: string, flags: readonly string[]): Promise<void> {
    const words = ['up', '--proxy', proxy, '--control', control, '--state-dir', this.stateDir, '--log-level', 'warn'];
    const up = this.#spawn([...words, '--json', ...flags], this.#options.environment ?? {}, this.#options.directory);
    this.#up = up;
    up.stderr!.on('data', (octets: Buffer) => {
      this.#log += octets.toString();
    });
    up.stdout!.on('data', (octets: Buffer) => {
      this.#output += octets.toString();
    });
    const line = await firstLine(up);
    if (line === undefined) throw new Error(`up did not start: ${this.#log}`);
    const ready = JSON.parse(line) as {
      proxyUrl: string;
      tlsUrl?: string;
      controlUrl: string;
      pids: { control: number; workers: number[] };
    };
    this.tlsPort = ready.tlsUrl === undefined ? 0 : Number(new URL(ready.tlsUrl).port);
    this.#controlPid = ready.pids.control;
    this.#workers = ready.pids.workers.length;
    this.proxyPort = Number(new URL(ready.proxyUrl).port);
    this.controlUrl = ready.controlUrl;
  }

  /** Starts the command; ends with the test. */
  start(words: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
    return this.#spawn(words, { ROLLCALL_URL: this.controlUrl, ...environment }, undefined);
  }

  /** Starts a program of the shell in `directory`, with the coordinator in its environment; ends with the test. */
  startShell(text: string, directory: string, environment: Readonly<Record<string, string>> = {}): ChildProcess {
    const env = { ROLLCALL_URL: this.controlUrl, ...environment };
    return this.#spawnProgram('sh', ['-c', `exec ${text}`], env, directory);
  }

  #spawn(words: readonly string[], environment: Readonly<Record<string, string>>, directory?: string): ChildProcess {
    return this.#spawnProgram(process.execPath, [ROLLCALL, ...words], environment, directory ?? this.directory);
  }

  #spawnProgram(
    program: string,
    words: readonly string[],
    environment: Readonly<Record<string, string>>,
    directory: string,
  ): ChildProcess {
    const child = spawn(program, words, {
      cwd: directory,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** Runs a command that asks the coordinator to its end. */
  cli(...words: readonly string[]): Promise<CliResult> {
    return this.bareCli(...words, '--coordinator', this.controlUrl, '--state-dir', this.stateDir);
  }

  /** Runs a command to its end. */
  bareCli(...words: readonly string[]): Promise<CliResult> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [ROLLCALL, ...words],
        { cwd: this.directory, timeout: PATIENCE_MS },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
    });
  }

  /** The same, with its one line of JSON read. Fails when the command does. */
  async json<Body>(...words: readonly string[]): Promise<Body> {
    const { code, stdout, stderr } = await this.cli(...words, '--json');
    if (code !== 0) throw new Error(`rollcall ${words.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as Body;
  }

  /** A call of the admin API with the admin token. */
  async admin<Body>(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ readonly status: number; readonly body: Body }> {
    const { status, text } = await controlRequest(this.controlUrl + path, {
      method,
      headers: { ...this.#credentials(), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status, body: JSON.parse(text) as Body };
  }

  /** The answer of `/metrics`, read with the admin token: reads without one are limited, and tests read in a loop. */
  async metrics(): Promise<string> {
    const options = { method: 'GET', headers: this.#credentials() };
    const { status, text } = await controlRequest(`${this.controlUrl}/metrics`, options);
    if (status !== 200) throw new Error(`/metrics answered with ${status}: ${text}`);
    return text;
  }

  #credentials(): Record<string, string> {
    const token = readFileSync(join(this.stateDir, 'admin-token'), 'utf8').trim();
    return { authorization: `Bearer ${token}` };
  }

  async node(id: string): Promise<NodeResource | undefined> {
    const { status, body } = await this.admin<NodeResource>('GET', `/v1/nodes/${id}`);
    return status === 200 ? body : undefined;
  }

  async balancer(name: string): Promise<BalancerResource> {
    return (await this.admin<BalancerResource>('GET', `/v1/balancers/${name}`)).body;
  }

  /** Serves `handler` on a port of its own and adds it as a static member. Resolves when the proxy knows it. */
  async addNode(id: string, put: Omit<NodePut, 'url'>, handler: http.RequestListener): Promise<OwnNode> {
    const server = http.createServer((request, response) => {
      if (isProbe(request)) response.end();
      else handler(request, response);
    });
    this.#servers.add(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await this.put(id, { ...put, url: `http://127.0.0.1:${port}` });
    const stop = (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    return { id, port, server, stop };
  }

  async put(id: string, body: NodePut): Promise<NodeResource> {
    const result = await this.admin<WriteResult & { detail?: string }>('PUT', `/v1/nodes/${id}`, body);
    if (result.status !== 200) throw new Error(`${id}: ${result.body.detail}`);
    await this.isCurrent();
    return result.body.nodes[0]!;
  }

  /** Resolves when every worker acts upon all that the coordinator knows. */
  async isCurrent(): Promise<void> {
    await until(async () => {
      const { workers } = (await this.admin<StatusResource>('GET', '/v1/status')).body;
      return workers.length >= this.#workers && workers.every(({ isCurrent }) => isCurrent);
    }, 'no worker is current');
  }

  async #close(): Promise<void> {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
    // Nodes first: they leave at once while the coordinator is running.
    await Promise.all([...this.#children].filter((child) => child !== this.#up).map(ended));
    if (this.#up !== undefined && this.#children.has(this.#up)) await ended(this.#up);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A request to the control port; its certificate is not compared. */
function controlRequest(
  url: string,
  { body, ...options }: { readonly method: string; readonly headers: Record<string, string>; readonly body?: string },
): Promise<{ readonly status: number; readonly text: string }> {
  const { request } = url.startsWith('https:') ? https : http;
  return new Promise((resolve, reject) => {
    // Node.js sends the body of a DELETE without its length.
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const headers = { ...options.headers, ...length };
    const sent = request(url, { ...options, headers, agent: false, rejectUnauthorized: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject).end(body);
  });
}

/** Ends a child in order, or by force when it takes too long. */
function ended(child: ChildProcess): Promise<unknown> {
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  return exited.finally(() => clearTimeout(killer));
}

/** Resolves when `isSo`; fails with `what` when it takes too long. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`after ${PATIENCE_MS} ms: ${what}`);
    await sleep(20);
  }
}

/** The first line a child writes to standard output; `undefined` when it ends without one. */
function firstLine(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    child.stdout!.on('data', (octets: Buffer) => {
      text += octets.toString();
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
    });
    child.once('exit', () => resolve(undefined));
  });
}

/** A question of the coordinator or a worker, which no client has asked. */
export function isProbe({ headers }: http.IncomingMessage): boolean {
  return headers['user-agent']?.startsWith('rollcall-probe') === true;
}
