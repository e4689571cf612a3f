/**
 * The SDK in a wrapped program. It does not connect to a coordinator but reports over a local socket to the wrapper. The wrapper
 * alone connects, and has the numbers and status requests of the program.
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
  /** The last reporting process has left in order. */
  onLeft(): void;
  /** The connection of a process was lost. */
  onLost(): void;
  /** Numbers that cause an early heartbeat. */
  onNews(): void;
  onRequestedStatus(): void;
}

const NO_LISTENER: ProgramSdkListener = {
  onRegistered() {},
  onLeft() {},
  onLost() {},
  onNews() {},
  onRequestedStatus() {},
};
/** Time limits after the first good answer of a program for its SDK to connect, and then to register, in milliseconds. */
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
   * Listens at `given`, or in a new folder of this user. Only processes that listen on `port` belong to the node. Rejects if the
   * socket cannot be created.
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

  /** Value of `ROLLCALL_NODE` for the environment of the program. */
  get variable(): string {
    return nodeSocketText(this.name);
  }

  /** Secret of the registration, which the program has as well. */
  get instance(): string {
    return instanceOf(this.name);
  }

  /** The description by the program; `undefined` while none of its processes reports. */
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

  /** The program answers: waits briefly for its SDK, so that the first registration is complete. */
  async settle(): Promise<void> {
    const startMs = performance.now();
    for (;;) {
      if (this.node !== undefined) return;
      const waitedMs = performance.now() - startMs;
      if (waitedMs > (this.socket.isExpecting ? REGISTER_WITHIN_MS : CONNECT_WITHIN_MS)) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Further calls have no effect. */
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
          this.#listener.onRequestedStatus();
        },
        onNews: () => this.#listener.onNews(),
        onRequestedStatus: () => this.#listener.onRequestedStatus(),
      },
    });
  }
}

function faultOf({ url }: NodeRegistration, port: number): Fault | undefined {
  const own = nodeAddress(url).port;
  if (own === port) return undefined;
  return {
    code: 'not-this-node',
    message: `rollcall registered the program on port ${port} as a node; this process serves port ${own} and is not registered: unset ROLLCALL_NODE in its environment to register it as its own node`,
  };
}

/** The path of a UNIX socket has at most about a hundred characters. */
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
