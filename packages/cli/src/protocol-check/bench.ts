/** Tools of a check: connections, nodes with addresses that answer, and waits with a time limit. Cleans up after each check. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { type RawSocket, type Received, type Upgrade, type UpgradeOptions, upgrade } from './raw-socket.ts';

/** Time limit of one wait, milliseconds. Slow machines need it; a conforming coordinator answers within a few milliseconds. */
export const PATIENCE_MS = 10_000;
/** Time limit for nodes to leave at the end of a check, milliseconds. */
const LEAVE_MS = 2_000;

/** The coordinator deviates from the requirement: `message` is the observation. */
export class Deviation extends Error {}
/** The check does not apply to this coordinator: `message` is the reason. */
export class NotApplicable extends Error {}

/** A message of the coordinator, as JSON. */
export interface Answer {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A node to register. */
export interface NodeText {
  readonly id: string;
  readonly [field: string]: unknown;
}

export interface Target {
  /** `ws://HOST:PORT/v1/agent`. */
  readonly url: string;
  readonly token: string | undefined;
  readonly balancer: string;
  /** Prefix of all ids of this run. */
  readonly run: string;
  /** For `wss`: what is trusted, and the client certificate. */
  readonly tls?: ConnectionOptions | undefined;
}

/** Host name of all nodes of the checks, which no request of a site has. */
export function hostOf({ balancer }: Pick<Target, 'balancer'>): string {
  return `${balancer.toLowerCase().replaceAll('_', '-')}.invalid`;
}

/** One connection, with messages as JSON. */
export class Peer {
  readonly socket: RawSocket;
  readonly #waitMs: () => number;
  /** The node that it has registered. */
  node: NodeText | undefined;
  /** The coordinator has reported that it cannot connect to the address of the node. */
  isUnreachable = false;

  constructor(socket: RawSocket, waitMs: () => number) {
    this.socket = socket;
    this.#waitMs = waitMs;
  }

  /** An object as JSON, or text as it is. */
  send(message: object | string): void {
    this.socket.sendText(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Registers and returns `registered`. */
  async register(node: NodeText): Promise<Answer> {
    this.send({ type: 'register', node });
    const answer = await this.expect('registered');
    this.node = node;
    return answer;
  }

  /** The next message of this type. Other messages before it are skipped; an error or the end of the connection is a deviation. */
  async expect(type: string): Promise<Answer> {
    for (;;) {
      const received = await this.#next(type);
      if (received.type === 'pong') continue;
      if (received.type !== 'message') throw new Deviation(`${ending(received)} instead of ${type}`);
      const answer = answerOf(received.text);
      if (answer.type === type) return answer;
      if (answer.type === 'error' && answer['code'] !== 'unreachable')
        throw new Deviation(`error ${String(answer['code'])} (${String(answer['message'])}) instead of ${type}`);
    }
  }

  /** The next error; a deviation if its code is not one of these, or the connection ends first. */
  async expectError(...codes: readonly string[]): Promise<Answer> {
    const expected = `error ${codes.join(' or ')}`;
    for (;;) {
      const received = await this.#next(expected);
      if (received.type === 'pong') continue;
      if (received.type !== 'message') throw new Deviation(`${ending(received)} instead of ${expected}`);
      const answer = answerOf(received.text);
      if (answer.type === 'registered') throw new Deviation(`registered instead of ${expected}`);
      if (answer.type !== 'error' || answer['code'] === 'unreachable') continue;
      if (codes.includes(String(answer['code']))) return answer;
      throw new Deviation(`error ${String(answer['code'])} instead of ${expected}`);
    }
  }

  /** The end of the connection with one of these close codes. Messages before it are skipped. */
  async expectClose(...codes: readonly number[]): Promise<number> {
    const expected = `a close with ${codes.join(' or ')}`;
    for (;;) {
      const received = await this.#next(expected);
      if (received.type === 'message' || received.type === 'pong') continue;
      if (received.type === 'close' && codes.includes(received.code)) return received.code;
      throw new Deviation(`${ending(received)} instead of ${expected}`);
    }
  }

  /**
   * Proves that all messages so far were accepted: sends a message of an unknown type, whose error must be the first. Counts as
   * one bad message of the connection.
   */
  async expectNoComplaint(): Promise<void> {
    this.send({ type: 'protocol-check-fence' });
    await this.expectError('unknown-message');
  }

  async expectPong(payload: string): Promise<void> {
    for (;;) {
      const received = await this.#next('a pong');
      if (received.type === 'message') continue;
      if (received.type !== 'pong') throw new Deviation(`${ending(received)} instead of a pong`);
      if (received.payload.toString() === payload) return;
      throw new Deviation('a pong with another payload');
    }
  }

  async #next(expected: string): Promise<Received> {
    const waitMs = Math.round(this.#waitMs());
    const received = await this.socket.next(waitMs);
    if (received?.type === 'message' && received.text.includes('"unreachable"')) this.isUnreachable = true;
    if (received === undefined) throw new Deviation(`nothing within ${waitMs} ms instead of ${expected}`);
    return received;
  }
}

function ending(received: Received): string {
  return received.type === 'close'
    ? `a close with ${received.code}`
    : 'the end of the connection without a close frame';
}

function answerOf(text: string): Answer {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && typeof (value as Answer).type === 'string')
      return value as Answer;
  } catch {
    // Handled like any other text that is not a message.
  }
  throw new Deviation(`text that is no message: ${text.slice(0, 100)}`);
}

export class Bench {
  readonly target: Target;
  #check = 0;
  readonly #waitMs: () => number;
  readonly #peers: Peer[] = [];
  readonly #servers: Server[] = [];
  #localAddress = '127.0.0.1';

  /** `waitMs` is the time limit of one wait from now on. */
  constructor(target: Target, waitMs: () => number) {
    this.target = target;
    this.#waitMs = waitMs;
  }

  /** Requests an upgrade with the token, or with `options`. */
  async upgrade(options: UpgradeOptions = {}): Promise<Upgrade> {
    const { url, token, tls } = this.target;
    const answer = await upgrade(url, { token, tls, ...options }, this.#waitMs());
    if (answer.socket !== undefined) {
      this.#localAddress = answer.socket.localAddress;
      this.#peers.push(new Peer(answer.socket, this.#waitMs));
    }
    return answer;
  }

  /** A new connection. */
  async connect(): Promise<Peer> {
    const { status } = await this.upgrade();
    if (status !== 101) throw new Deviation(`HTTP ${status} to the upgrade`);
    return this.#peers.at(-1)!;
  }

  /** Prefix of the ids of the current check. A coordinator may delay registrations of one id, so each check has its own ids. */
  get prefix(): string {
    return `${this.target.run}-${this.#check}`;
  }

  /** A node of this check, of a new process. No request of a site has its host name. */
  async node(name: string, more: Readonly<Record<string, unknown>> = {}): Promise<NodeText> {
    const { balancer } = this.target;
    return {
      id: `${this.prefix}-${name}`,
      balancer,
      url: more['url'] ?? (await this.address()),
      hosts: [hostOf(this.target)],
      instance: randomBytes(16).toString('hex'),
      ...more,
    };
  }

  /** A new address of this machine, as the coordinator sees it, that answers every request. */
  async address(): Promise<string> {
    const server = createServer((_, response) => response.writeHead(204).end());
    const host = this.#localAddress.replace(/^::ffff:/, '').replace(/%.*$/, '');
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port: 0 }, resolve);
    });
    this.#servers.push(server);
    const { port } = server.address() as AddressInfo;
    return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  /** Makes every node of the check leave, and closes all connections and listeners. Never rejects. */
  async cleanUp(): Promise<void> {
    const peers = this.#peers.splice(0);
    const nodes = new Map<string, NodeText>();
    for (const { node } of peers) if (node !== undefined) nodes.set(node.id, node);
    await Promise.all(peers.map(async (peer) => (await hasLeft(peer)) && nodes.delete(peer.node!.id)));
    await Promise.all([...nodes.values()].map((node) => this.#leaveAgain(node)));
    for (const { socket } of peers.concat(this.#peers.splice(0))) socket.cut();
    for (const server of this.#servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
    this.#check += 1;
  }

  /** For a node whose connection has ended: it registers again as the same process, and leaves. A newer process keeps the id. */
  async #leaveAgain(node: NodeText): Promise<void> {
    try {
      const { url, token, tls } = this.target;
      const { socket } = await upgrade(url, { token, tls }, LEAVE_MS);
      if (socket === undefined) return;
      const peer = new Peer(socket, () => LEAVE_MS);
      await peer.register(node).catch(() => undefined);
      await hasLeft(peer);
      socket.cut();
    } catch {
      // The coordinator is gone; it expires the node by itself.
    }
  }
}

/** Leaves if the connection still represents a node; false otherwise. */
async function hasLeft({ socket, node }: Peer): Promise<boolean> {
  if (node === undefined || socket.isOver) return false;
  socket.sendText('{"type":"leave"}');
  const endMs = performance.now() + LEAVE_MS;
  for (let leftMs = LEAVE_MS; leftMs > 0; leftMs = endMs - performance.now()) {
    const received = await socket.next(leftMs);
    if (received === undefined) return false;
    if (received.type === 'close') return received.code === 1000;
    if (received.type === 'cut') return false;
  }
  return false;
}
