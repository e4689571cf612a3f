/** The built `rollcall up`, with nodes that tests add over the admin API. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { AGENT_PATH, AGENT_SUBPROTOCOL, type LoginResource, type NodePut } from '@rollcall/protocol';
import { WebSocket } from 'ws';
import { ROLLCALL } from '../site/commands.ts';

/** The line of `up --json` when it serves. */
interface Ready {
  readonly proxyUrl: string;
  readonly controlUrl: string;
  readonly loginUrl: string;
}

export class SmallCluster {
  readonly proxyUrl: string;
  readonly controlUrl: string;
  /** One-time link that logs a browser in. */
  readonly loginUrl: string;
  readonly #supervisor: ChildProcess;
  readonly #stateDir: string;
  readonly #programs = new Map<string, Server>();

  private constructor(supervisor: ChildProcess, stateDir: string, { proxyUrl, controlUrl, loginUrl }: Ready) {
    this.#supervisor = supervisor;
    this.#stateDir = stateDir;
    this.proxyUrl = proxyUrl;
    this.controlUrl = controlUrl;
    this.loginUrl = loginUrl;
  }

  static async start(): Promise<SmallCluster> {
    const stateDir = mkdtempSync(join(tmpdir(), 'rollcall-browser-'));
    const flags = ['--proxy', '127.0.0.1:0', '--control', '127.0.0.1:0', '--store', 'memory', '--log-level', 'error'];
    const supervisor = spawn(process.execPath, [ROLLCALL, 'up', ...flags, '--state-dir', stateDir, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: supervisor.stdout! })) {
      const ready = JSON.parse(line) as Ready;
      supervisor.stdout!.resume();
      return new SmallCluster(supervisor, stateDir, ready);
    }
    rmSync(stateDir, { recursive: true, force: true });
    throw new Error('rollcall up ended before it served');
  }

  /** Makes a small HTTP program a node, or registers it again; resolves when the coordinator has reached it. */
  async addNode(id: string, about: Omit<NodePut, 'url'>): Promise<void> {
    let program = this.#programs.get(id);
    if (program === undefined) {
      program = createServer((_, response) => response.end(`${id} at your service\n`));
      program.listen(0, '127.0.0.1');
      await once(program, 'listening');
      this.#programs.set(id, program);
    }
    await this.addProgram(id, (program.address() as AddressInfo).port, about);
  }

  /** Makes a program on this machine a node; it ends with the test that has it. */
  async addProgram(id: string, port: number, about: Omit<NodePut, 'url'>): Promise<void> {
    await this.#call('PUT', `/v1/nodes/${id}`, { ...about, url: `http://127.0.0.1:${port}` });
  }

  /** Makes the program at `url` a node. */
  async addAt(id: string, url: string, about: Omit<NodePut, 'url'>): Promise<void> {
    await this.#call('PUT', `/v1/nodes/${id}`, { ...about, url });
  }

  /** A node with an agent connection. Returns a function that leaves: the coordinator then lists the node as gone. */
  async addAgent(id: string, about: object): Promise<() => Promise<void>> {
    const socket = new WebSocket(`${this.controlUrl.replace('http', 'ws')}${AGENT_PATH}`, [AGENT_SUBPROTOCOL]);
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'register', node: { id, url: 'http://127.0.0.1:9', ...about } }));
    await once(socket, 'message');
    return async () => {
      socket.send(JSON.stringify({ type: 'leave' }));
      await once(socket, 'close');
    };
  }

  async removeNode(id: string): Promise<void> {
    await this.#call('DELETE', `/v1/nodes/${id}`, { force: true });
  }

  /** The browsers that are logged in. */
  async logins(): Promise<readonly LoginResource[]> {
    return ((await this.#call('GET', '/v1/logins')) as { readonly logins: readonly LoginResource[] }).logins;
  }

  /** A node as a resource of the admin API. */
  async node(id: string): Promise<Readonly<Record<string, unknown>>> {
    return (await this.#call('GET', `/v1/nodes/${id}`)) as Readonly<Record<string, unknown>>;
  }

  #adminToken(): string {
    return readFileSync(join(this.#stateDir, 'admin-token'), 'utf8').trim();
  }

  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(this.controlUrl + path, {
      method,
      headers: { authorization: `Bearer ${this.#adminToken()}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer}`);
    return JSON.parse(answer);
  }

  /** Ends coordinator and proxy in order. Further calls have no effect. */
  async stop(): Promise<void> {
    if (this.#supervisor.exitCode !== null || this.#supervisor.signalCode !== null) return;
    this.#supervisor.kill('SIGTERM');
    await once(this.#supervisor, 'exit');
  }

  async close(): Promise<void> {
    await this.stop();
    for (const program of this.#programs.values()) {
      program.closeAllConnections();
      program.close();
    }
    rmSync(this.#stateDir, { recursive: true, force: true });
  }
}
