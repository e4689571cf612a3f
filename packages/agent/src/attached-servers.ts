/** The servers of one node. Its address is that of the server on the preferred port, else of the first that listens. */
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

  /** `listener.onClosed` is called when the last listening server has closed. Errors of a listener are reported to `node`. */
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

  /** True while a server listens on a UNIX socket, which has no port. */
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

  /** Detaches all servers; they continue without the SDK. */
  detachAll(): void {
    for (const [server, detach] of this.#detach) {
      detach();
      disown(server);
    }
    this.#detach.clear();
  }

  /** Stops accepting connections; open connections continue. */
  takeNoMore(): void {
    for (const server of this.#detach.keys()) takeNoMore(server);
  }

  /** Closes all servers; resolves after `waitMs`, or 1 s, at the latest. */
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

  /** Reports errors instead of throwing: `run` is called by an event of the application's server. */
  #safely(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#node.failed(error);
    }
  }
}
