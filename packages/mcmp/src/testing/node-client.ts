/**
 * The node's side of MCMP, with the messages and states of the Java listener of mod_cluster. Written without the code of this package.
 *
 * ```
 *           INFO, CONFIG, ENABLE-APP …, STATUS: all 200
 *  ERROR ──────────────────────────────────────────────▶ OK ── STATUS per tick
 *    ▲ └── 500 of Type SYNTAX ──▶ DOWN (for good)         │
 *    └───────────── no answer, or 500 ────────────────────┘
 * ```
 */
import { connect, type Socket } from 'node:net';

export interface NodeClientOptions {
  /** Port of the listener, on 127.0.0.1. */
  readonly mcmpPort: number;
  readonly route: string;
  /** Address of the node as CONFIG announces it. */
  readonly port: number;
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** Paths of the deployed contexts. */
  readonly contexts: readonly string[];
  /** Default: 100. */
  readonly load?: number;
  /** Address that connections come from. Default: the one that the system chooses. */
  readonly localAddress?: string;
}

interface Reply {
  readonly status: number;
  /** Of a fault: its type, and its text. */
  readonly type: string;
  readonly mess: string;
  readonly body: string;
}

/** A request that has been sent, or waits for its turn. */
interface Sent {
  readonly text: string;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  isAgain: boolean;
}

/** Pause between two STOP-APP of one context, milliseconds. The Java listener waits for the end of a request. */
const STOP_AGAIN_MS = 50;

export class NodeClient {
  readonly #options: NodeClientOptions;
  /** Contexts that are deployed and not being stopped. */
  readonly #started: Set<string>;
  readonly #queue: Sent[] = [];
  #socket: Socket | undefined;
  #received = '';
  #state: 'ERROR' | 'OK' | 'DOWN' = 'ERROR';
  #timer: NodeJS.Timeout | undefined;
  #isTicking = false;
  #isClosed = false;

  constructor(options: NodeClientOptions) {
    this.#options = options;
    this.#started = new Set(options.contexts);
  }

  get state(): 'ERROR' | 'OK' | 'DOWN' {
    return this.#state;
  }

  /** Ticks at once and then every `everyMs`, until `leave` or `close`. Java: 10,000 ms, the first one after this time. */
  start(everyMs: number): void {
    void this.tick();
    this.#timer = setInterval(() => void this.tick(), everyMs);
  }

  /** One tick: registers in the state ERROR, then STATUS. Resolves to the state after it. */
  async tick(): Promise<'ERROR' | 'OK' | 'DOWN'> {
    if (this.#isTicking || this.#state === 'DOWN') return this.#state;
    this.#isTicking = true;
    try {
      if (this.#state === 'ERROR') await this.#register();
      await this.#told('STATUS', `&Load=${this.#options.load ?? 100}`);
      this.#state = 'OK';
    } catch {
      if (!this.#isDown) this.#state = 'ERROR';
    } finally {
      this.#isTicking = false;
    }
    return this.#state;
  }

  /** Only SYNTAX leads to DOWN, in the middle of a tick. */
  get #isDown(): boolean {
    return this.#state === 'DOWN';
  }

  async #register(): Promise<void> {
    const { route, host = '127.0.0.1', port } = this.#options;
    const { body } = await this.#told('INFO');
    const enabled = enabledContexts(body, route);
    await this.#told('CONFIG', `&Host=${host}&Port=${port}&StickySessionForce=No&Type=http`);
    for (const context of this.#started) if (!enabled.has(context)) await this.#app('ENABLE-APP', context);
  }

  /** A context has been started. */
  async enable(context: string): Promise<void> {
    this.#started.add(context);
    await this.#app('ENABLE-APP', context);
  }

  async disable(context: string): Promise<void> {
    await this.#app('DISABLE-APP', context);
  }

  /**
   * Before a context is stopped: DISABLE-APP, then STOP-APP until no request is in flight. Resolves to the numbers of requests that the
   * answers had, 0 at the end.
   */
  async stop(context: string): Promise<readonly number[]> {
    this.#started.delete(context);
    await this.#app('DISABLE-APP', context);
    const counts: number[] = [];
    for (;;) {
      const { body } = await this.#app('STOP-APP', context);
      const requests = Number(/&Requests=(\d+)/.exec(body)?.[1] ?? 0);
      counts.push(requests);
      if (requests === 0) return counts;
      await new Promise((resolve) => setTimeout(resolve, STOP_AGAIN_MS));
    }
  }

  /** A stopped context is undeployed. */
  async remove(context: string): Promise<void> {
    await this.#app('REMOVE-APP', context);
  }

  /** An orderly end of the node: stops and removes all contexts, then the node. */
  async leave(): Promise<void> {
    clearInterval(this.#timer);
    for (const context of [...this.#started]) {
      await this.stop(context);
      await this.remove(context);
    }
    await this.#told('REMOVE-APP', '', '/*');
    this.close();
  }

  /** The end of the process: its connection is cut. */
  close(): void {
    clearInterval(this.#timer);
    this.#isClosed = true;
    this.#socket?.destroy();
    for (const { reject } of this.#queue.splice(0)) reject(new Error('closed'));
  }

  #app(method: string, context: string): Promise<Reply> {
    return this.#told(method, `&Alias=localhost&Context=${encodeURIComponent(context)}`);
  }

  /** The answer with status 200. Rejects for any other one, which decides about the state. */
  async #told(method: string, fields = '', target = '/'): Promise<Reply> {
    const reply = await this.#send(method, fields, target);
    if (reply.status === 200) return reply;
    this.#state = reply.type === 'SYNTAX' ? 'DOWN' : 'ERROR';
    throw new Error(`${method} was answered with ${reply.status} ${reply.mess}`);
  }

  #send(method: string, fields: string, target: string): Promise<Reply> {
    const { mcmpPort, route } = this.#options;
    const body = method === 'INFO' ? '' : `JVMRoute=${encodeURIComponent(route)}${fields}`;
    const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
    const head = `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1:${mcmpPort}\r\n${length}User-Agent: ClusterListener/1.0\r\nConnection: Keep-Alive\r\n\r\n`;
    return new Promise((resolve, reject) => {
      if (this.#isClosed) reject(new Error('closed'));
      else if (this.#queue.push({ text: head + body, resolve, reject, isAgain: false }) === 1) this.#write();
    });
  }

  #write(): void {
    const first = this.#queue[0];
    if (first === undefined) return;
    this.#socket ??= this.#open();
    this.#socket.write(first.text, 'latin1');
  }

  #open(): Socket {
    const { mcmpPort, localAddress } = this.#options;
    const socket = connect({ host: '127.0.0.1', port: mcmpPort, ...(localAddress !== undefined && { localAddress }) });
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (text: string) => this.#onText(text));
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#onClosed());
    return socket;
  }

  #onText(text: string): void {
    this.#received += text;
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.slice(0, end);
    const length = Number(/\r\nContent-Length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    const body = this.#received.slice(end + 4, end + 4 + length);
    this.#received = this.#received.slice(end + 4 + length);
    const sent = this.#queue.shift();
    const field = (name: string): string => new RegExp(`\\r\\n${name}: *(.*)`, 'i').exec(head)?.[1] ?? '';
    sent?.resolve({ status: Number(head.slice(9, 12)), type: field('Type'), mess: field('Mess'), body });
    if (/\r\nConnection: *close/i.test(head)) {
      this.#socket?.removeAllListeners('close').destroy();
      this.#socket = undefined;
      this.#received = '';
    }
    this.#write();
  }

  /** A request without an answer is sent once more, on a fresh connection. */
  #onClosed(): void {
    this.#socket = undefined;
    this.#received = '';
    const first = this.#queue[0];
    if (first === undefined || this.#isClosed) return;
    if (first.isAgain) this.#queue.shift()?.reject(new Error('no answer'));
    else first.isAgain = true;
    this.#write();
  }
}

/** Contexts of the node `route` that INFO lists as enabled. */
function enabledContexts(info: string, route: string): ReadonlySet<string> {
  const lines = info.split('\n');
  const own = lines.find((line) => line.startsWith('Node: ') && line.includes(`],Name: ${route},`));
  const index = /\[(\d+)\]/.exec(own ?? '')?.[1];
  const contexts = lines.map((line) => /^Context: \[(\d+):.+, Context: (\S+), Status: ENABLED$/.exec(line));
  return new Set(contexts.flatMap((found) => (found !== null && found[1] === index ? [found[2]!] : [])));
}
