/**
 * A TCP relay in user space: a link that the test can break. Listens on a port of its own and forwards to one port of 127.0.0.1.
 *
 * A stalled way keeps its octets in the buffers of the kernel. They arrive when the relay passes again, as after a loss of packets. A connect during a stall is accepted, and reaches the target later.
 */
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';

/** `to`: from the client to the target. `from`: from the target to the client. */
export type Way = 'to' | 'from';

export type RelayMode =
  | { readonly type: 'pass' }
  /** Forwards nothing, in one way or in both. */
  | { readonly type: 'stall'; readonly way?: Way }
  /** Resets all connections and refuses connects. */
  | { readonly type: 'cut' }
  /** Forwards what the target sends after a pause. */
  | { readonly type: 'slow'; readonly ms: number }
  /** Resets all connections in this interval. */
  | { readonly type: 'cut-every'; readonly ms: number };

export class Relay {
  /** Port on which the relay listens. */
  readonly port: number;
  /** Connections or octets that a fault has met since the last change of mode. */
  met = 0;
  #mode: RelayMode = { type: 'pass' };
  #timer: NodeJS.Timeout | undefined;
  readonly #server: net.Server;
  readonly #target: number;
  readonly #links = new Set<Link>();

  private constructor(server: net.Server, port: number, target: number) {
    this.#server = server;
    this.port = port;
    this.#target = target;
    server.on('connection', (socket) => this.#accept(socket));
  }

  static async start(target: number): Promise<Relay> {
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Relay(server, (server.address() as AddressInfo).port, target);
  }

  get mode(): RelayMode {
    return this.#mode;
  }

  /** Resolves when the mode is in force. */
  async set(mode: RelayMode): Promise<void> {
    const was = this.#mode;
    if (was.type === 'cut' && mode.type !== 'cut') {
      this.#server.listen(this.port, '127.0.0.1');
      await once(this.#server, 'listening');
    }
    this.#mode = mode;
    this.met = 0;
    clearInterval(this.#timer);
    if (mode.type === 'cut') this.#server.close();
    if (mode.type === 'cut') this.#resetAll();
    if (mode.type === 'cut-every') this.#timer = setInterval(() => this.#resetAll(), mode.ms);
    for (const link of this.#links) link.follow(mode);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    const isListening = this.#server.listening;
    if (isListening) this.#server.close();
    for (const link of this.#links) link.reset();
    if (isListening) await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    const link = new Link(
      socket,
      this.#target,
      () => {
        this.met += 1;
      },
      () => this.#links.delete(link),
    );
    this.#links.add(link);
    if (this.#mode.type !== 'pass') this.met += 1;
    link.follow(this.#mode);
  }

  #resetAll(): void {
    this.met += this.#links.size;
    for (const link of this.#links) link.reset();
  }
}

/** One connection through the relay. */
class Link {
  #mode: RelayMode = { type: 'pass' };
  #isOver = false;
  #target: Socket | undefined;
  readonly #client: Socket;
  readonly #port: number;
  readonly #onMet: () => void;
  readonly #onOver: () => void;

  constructor(client: Socket, port: number, onMet: () => void, onOver: () => void) {
    this.#client = client;
    this.#port = port;
    this.#onMet = onMet;
    this.#onOver = onOver;
    client.on('error', () => undefined);
    client.on('close', () => this.#end(this.#target));
  }

  follow(mode: RelayMode): void {
    if (this.#isOver) return;
    this.#mode = mode;
    if (this.#target === undefined && mode.type !== 'stall') this.#connect();
    this.#flow(this.#client, this.#target === undefined || this.#isStalled('to'));
    if (this.#target) this.#flow(this.#target, this.#isStalled('from'));
  }

  reset(): void {
    this.#isOver = true;
    this.#client.resetAndDestroy();
    this.#target?.resetAndDestroy();
    this.#onOver();
  }

  #connect(): void {
    const target = net.connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    this.#target = target;
    this.#client.setNoDelay(true);
    this.#client.on('data', (chunk) => target.write(chunk));
    target.on('data', (chunk) => this.#late(() => this.#client.write(chunk)));
    target.on('error', () => undefined);
    target.on('close', () => this.#late(() => this.#end(this.#client)));
  }

  /** Runs `forward` now, or after the pause of a slow link. The order stays. */
  #late(forward: () => void): void {
    if (this.#mode.type !== 'slow') forward();
    else {
      this.#onMet();
      setTimeout(forward, this.#mode.ms);
    }
  }

  #isStalled(way: Way): boolean {
    return this.#mode.type === 'stall' && (this.#mode.way ?? way) === way;
  }

  #flow(socket: Socket, isStalled: boolean): void {
    if (!isStalled) socket.resume();
    else {
      socket.pause();
      this.#onMet();
    }
  }

  /** One side has closed: closes the other. */
  #end(other: Socket | undefined): void {
    if (!this.#isOver) this.#onOver();
    this.#isOver = true;
    other?.destroySoon();
  }
}
