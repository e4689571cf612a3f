/** A client that may join: a token of its own, and raw connections that send anything. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { WebSocket } from 'ws';
import { Site } from '../site/site.ts';

export const MAIN_TOKEN = 'join-token-of-the-main-team';
export const GUEST_TOKEN = 'join-token-of-the-guest';

export interface Told {
  readonly type: string;
  readonly code?: string;
  readonly message?: string;
  readonly count?: number;
  readonly warnings?: readonly { readonly code: string }[];
}

/** A site whose main team has the common join token, with a second join token named `guest`. */
export async function siteWithGuest(t: TestContext, flags: readonly string[] = []): Promise<Site> {
  const site = await Site.start(t, { flags, environment: { ROLLCALL_JOIN_TOKEN: MAIN_TOKEN } });
  const path = join(site.stateDir, 'tokens.json');
  const file = JSON.parse(readFileSync(path, 'utf8')) as { tokens: object[] };
  const sha256 = createHash('sha256').update(GUEST_TOKEN).digest('hex');
  writeFileSync(path, JSON.stringify({ ...file, tokens: [...file.tokens, { name: 'guest', role: 'join', sha256 }] }));
  await site.restart();
  return site;
}

/** A program that answers `text`; ends with the test. */
export async function program(t: TestContext, text: string): Promise<string> {
  const server = http.createServer((_, response) => response.end(text));
  server.listen(0, '127.0.0.1');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An agent connection by hand; ends with the test. */
export class RawAgent {
  readonly #socket: WebSocket;
  readonly #told: Told[] = [];

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#told.push(JSON.parse(data.toString()) as Told));
    socket.on('error', () => undefined);
  }

  static async open(t: TestContext, site: Site, token: string): Promise<RawAgent> {
    const socket = new WebSocket(`${site.controlUrl.replace('http', 'ws')}${AGENT_PATH}`, [AGENT_SUBPROTOCOL], {
      headers: { authorization: `Bearer ${token}` },
    });
    t.after(() => socket.terminate());
    const agent = new RawAgent(socket);
    await once(socket, 'open');
    return agent;
  }

  send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  /** Registers, and heartbeats until the end of the test. Resolves with `registered`, or the error. */
  async register(t: TestContext, node: object): Promise<Told> {
    this.send({ type: 'register', node });
    const told = await this.next(({ type }) => type === 'registered' || type === 'error');
    const beats = setInterval(() => this.send({ type: 'heartbeat', load: 0 }), 500);
    t.after(() => clearInterval(beats));
    this.#socket.once('close', () => clearInterval(beats));
    return told;
  }

  /** The next message that matches, also one that was already received. */
  async next(matches: (told: Told) => boolean): Promise<Told> {
    for (;;) {
      const at = this.#told.findIndex(matches);
      if (at >= 0) return this.#told.splice(at, 1)[0]!;
      await once(this.#socket, 'message');
    }
  }
}
