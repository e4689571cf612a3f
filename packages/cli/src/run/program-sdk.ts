/**
 * The SDK inside the program that is wrapped. It opens no connection to a coordinator: it reports over a local socket to the
 * wrapper, which alone connects, and so has the program's own numbers and wishes.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  instanceOf,
  NodeSocket,
  type NodeSocketName,
  newSecret,
  nodeSocketText,
  systemTimers,
  type Timers,
} from '@rollcall/agent';
import { type Fault, type NodeRegistration, nodeAddress } from '@rollcall/protocol';

/** Events of the SDK. */
export interface ProgramSdkListener {
  /** A process of the program has registered, or registered again. */
  onRegistered(): void;
  /** The last process that reported has left in order. */
  onLeft(): void;
  /** The connection of a process was lost. */
  onLost(): void;
  /** Numbers that are worth an early heartbeat. */
  onNews(): void;
  onWish(): void;
}

const NO_LISTENER: ProgramSdkListener = { onRegistered() {}, onLeft() {}, onLost() {}, onNews() {}, onWish() {} };
/** After the first good answer of a program, how long its SDK may take to connect, and then to register, in milliseconds. */
const CONNECT_WITHIN_MS = 50;
const REGISTER_WITHIN_MS = 1_000;
const LOOK_MS = 10;

export class ProgramSdk {
  readonly name: NodeSocketName;
  readonly #directory: string | undefined;
  readonly #registered: Promise<void>;
  #onFirst: () => void = () => {};
  #listener: ProgramSdkListener = NO_LISTENER;
  #socket: NodeSocket | undefined;

  private constructor(name: NodeSocketName, directory: string | undefined) {
    this.name = name;
    this.#directory = directory;
    this.#registered = new Promise((resolve) => (this.#onFirst = resolve));
  }

  /**
   * Listens at `given`, or in a new folder of this user's own. Only processes that listen on `port` belong to the node. Rejects
   * when there is no room for a socket.
   */
  static async open(port: number, given?: NodeSocketName, timers: Timers = systemTimers()): Promise<ProgramSdk> {
    if (given === undefined) removeLeftovers(shortTemporary());
    const directory = given === undefined ? mkdtempSync(join(shortTemporary(), 'rollcall-')) : undefined;
    const name = given ?? { path: join(directory!, 'node.sock'), secret: newSecret() };
    const sdk = new ProgramSdk(name, directory);
    if (given !== undefined) rmSync(given.path, { force: true });
    try {
      sdk.#socket = await sdk.#listen(port, timers);
    } catch (error) {
      sdk.close();
      throw error;
    }
    return sdk;
  }

  get socket(): NodeSocket {
    return this.#socket!;
  }

  /** For the program's environment. */
  get variable(): string {
    return nodeSocketText(this.name);
  }

  /** What the node registers with: the program can prove it as well. */
  get instance(): string {
    return instanceOf(this.name);
  }

  /** How the program describes itself; `undefined` while no process of it reports. */
  get node(): NodeRegistration | undefined {
    return this.socket.nodes[0];
  }

  set listener(listener: ProgramSdkListener) {
    this.#listener = listener;
  }

  /** Resolves when a process of the program has registered for the first time. */
  untilRegistered(): Promise<void> {
    return this.#registered;
  }

  /** The program answers: waits a moment for an SDK in it, so that the node is described in full from the start. */
  async settle(): Promise<void> {
    const startMs = performance.now();
    for (;;) {
      if (this.node !== undefined) return;
      const waitedMs = performance.now() - startMs;
      if (waitedMs > (this.socket.isExpecting ? REGISTER_WITHIN_MS : CONNECT_WITHIN_MS)) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** A repeat changes nothing. */
  close(): void {
    this.#socket?.close();
    rmSync(this.#directory ?? this.name.path, { recursive: true, force: true });
  }

  #listen(port: number, timers: Timers): Promise<NodeSocket> {
    return NodeSocket.listen({
      name: this.name,
      timers,
      listener: {
        judge: (node) => faultOf(node, port),
        onRegistered: () => {
          this.#onFirst();
          this.#listener.onRegistered();
        },
        onEnd: (hasLeft) => {
          if (hasLeft && this.node === undefined) this.#listener.onLeft();
          else this.#listener.onLost();
          this.#listener.onWish();
        },
        onNews: () => this.#listener.onNews(),
        onWish: () => this.#listener.onWish(),
      },
    });
  }
}

function faultOf({ url }: NodeRegistration, port: number): Fault | undefined {
  const own = nodeAddress(url).port;
  if (own === port) return undefined;
  return {
    code: 'not-this-node',
    message: `rollcall made the program on port ${port} a node; this process of it serves port ${own} and is none: take ROLLCALL_NODE out of its environment to make it a node of its own`,
  };
}

/** The path of a UNIX socket holds about a hundred characters. */
function shortTemporary(): string {
  const usual = tmpdir();
  return usual.length <= 64 && !/[:#]/.test(usual) ? usual : '/tmp';
}

/** Removes directories of wrappers that were killed: of this user, with a socket that refuses connections. Does not wait. */
function removeLeftovers(parent: string): void {
  for (const name of namesIn(parent)) {
    if (!/^rollcall-[A-Za-z0-9]{6}$/.test(name)) continue;
    const directory = join(parent, name);
    const socket = connect(join(directory, 'node.sock'));
    socket.unref();
    socket.once('connect', () => socket.destroy());
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ECONNREFUSED') rmSync(directory, { recursive: true, force: true });
    });
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
