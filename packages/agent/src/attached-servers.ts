/** The servers of one node. The one on the preferred port, or else the first that listens, gives the node its address. */
import type { Server } from 'node:http';
import { attachServer, type Listening, type ServerListener } from './http.ts';
import type { InFlight } from './load/in-flight.ts';
import type { Traffic } from './load/traffic.ts';
import type { NodeCore } from './node-core.ts';
import { closeServer, takeNoMore } from './server-close.ts';
import { disown, own } from './server-owner.ts';

export class AttachedServers {
  readonly #node: NodeCore;
  readonly #inFlight: InFlight;
  readonly #traffic: Traffic;
  readonly #listener: ServerListener;
  readonly #preferredPort: number | undefined;
  readonly #detach = new Map<Server, () => void>();
  #listening: Listening | undefined;
  #isOnUnixSocket = false;

  /** `listener.onClosed` is called when the last server that listened was closed. What a listener throws is reported to `node`. */
  constructor(
    node: NodeCore,
    inFlight: InFlight,
    traffic: Traffic,
    listener: ServerListener,
    preferredPort: number | undefined,
  ) {
    this.#node = node;
    this.#inFlight = inFlight;
    this.#traffic = traffic;
    this.#listener = listener;
    this.#preferredPort = preferredPort;
  }

  get size(): number {
    return this.#detach.size;
  }

  get listening(): Listening | undefined {
    return this.#listening;
  }

  /** A server has an address without a port. */
  get isOnUnixSocket(): boolean {
    return this.#isOnUnixSocket;
  }

  has(server: Server): boolean {
    return this.#detach.has(server);
  }

  add(server: Server): void {
    const listener = this.#listener;
    own(server, this.#node);
    this.#detach.set(server, () => {});
    const detach = attachServer(server, this.#inFlight, this.#traffic, {
      onListening: (listening) =>
        this.#safely(() => {
          if (listening.port === this.#preferredPort) this.#listening = listening;
          this.#listening ??= listening;
          listener.onListening(listening);
        }),
      onUnixSocket: (path) =>
        this.#safely(() => {
          this.#isOnUnixSocket = true;
          listener.onUnixSocket(path);
        }),
      onClosed: () => this.#safely(() => this.#closed()),
      proofOf: (nonce) => listener.proofOf(nonce),
      loadLine: (shareMs) => listener.loadLine(shareMs),
      isEnding: () => listener.isEnding(),
    });
    this.#detach.set(server, detach);
  }

  /** Lets go of all servers; they go on without us. */
  detachAll(): void {
    for (const [server, detach] of this.#detach) {
      detach();
      disown(server);
    }
    this.#detach.clear();
  }

  /** They take no more connections; those that are open go on. */
  takeNoMore(): void {
    for (const server of this.#detach.keys()) takeNoMore(server);
  }

  /** Closes all of them; resolves after `waitMs`, or 1 s, at the latest. */
  async closeAll(waitMs: number): Promise<void> {
    const isBusy = () => this.#inFlight.count > 0;
    await Promise.all([...this.#detach.keys()].map((server) => closeServer(server, waitMs, isBusy)));
  }

  #closed(): void {
    if ([...this.#detach.keys()].some((server) => server.listening)) return;
    const wasListening = this.#listening !== undefined || this.#isOnUnixSocket;
    this.#listening = undefined;
    this.#isOnUnixSocket = false;
    if (wasListening) this.#listener.onClosed();
  }

  /** It runs inside an event of the application's server. */
  #safely(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#node.failed(error);
    }
  }
}
