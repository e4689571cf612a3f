/**
 * A slow receiver costs no memory. A gibibyte is sent through an engine in a process of its own, each way and in each framing. The reader
 * is slow first, then stops, then reads at full speed. Fails if one of the calls of `pause` is left out.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import type net from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TYPESCRIPT } from '@rollcall/core/testing';
import { connectRawClient } from './raw-client.fixture.ts';
import { startRawNode } from './raw-node.fixture.ts';

const PROGRAM = fileURLToPath(new URL('lone-engine.fixture.ts', import.meta.url));
const MIB = 1_048_576;
const TOTAL = 1_024 * MIB;
const PIECE = Buffer.alloc(65_536, 'x');
const SLOW_BYTES = 160 * MIB;
const SLOW_BYTES_PER_MS = (80 * MIB) / 1_000;
const STILL_MS = 1_000;
const SAMPLE_MS = 40;
/** Allowed growth of an engine that forwards hundreds of megabytes per second: garbage that is not collected yet. */
const MAX_GROWTH_BYTES = 128 * MIB;
/** Allowed memory for a reader that has stopped, with or without garbage. */
const MAX_HELD_BYTES = 96 * MIB;
const HOST = 'Host: a\r\n';
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

interface Way {
  readonly name: string;
  readonly isChunked: boolean;
  /** What the client sends before the transfer. */
  readonly request: string;
  /** What the node answers at once. */
  readonly answer: string;
  readonly pours: 'client' | 'node';
}

const WAYS: readonly Way[] = [
  {
    name: 'an answer by length',
    isChunked: false,
    request: `GET /a HTTP/1.1\r\n${HOST}\r\n`,
    answer: `HTTP/1.1 200 OK\r\nContent-Length: ${TOTAL}\r\n\r\n`,
    pours: 'node',
  },
  {
    name: 'an answer in chunks',
    isChunked: true,
    request: `GET /a HTTP/1.1\r\n${HOST}\r\n`,
    answer: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    pours: 'node',
  },
  {
    name: 'an upload by length',
    isChunked: false,
    request: `POST /a HTTP/1.1\r\n${HOST}Content-Length: ${TOTAL}\r\n\r\n`,
    answer: '',
    pours: 'client',
  },
  {
    name: 'an upload in chunks',
    isChunked: true,
    request: `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`,
    answer: '',
    pours: 'client',
  },
  ...(['node', 'client'] as const).map((pours) => ({
    name: `a tunnel, the ${pours} sending`,
    isChunked: false,
    request: `GET /a HTTP/1.1\r\n${HOST}${UPGRADE}\r\n`,
    answer: `HTTP/1.1 101 Switching Protocols\r\n${UPGRADE}\r\n`,
    pours,
  })),
];

/** An engine in a process of its own. */
class LoneEngine {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(nodePort: number): Promise<LoneEngine> {
    const child = spawn(process.execPath, [...TYPESCRIPT, PROGRAM, String(nodePort)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const port = await new Promise<number>((resolve) =>
      child.once('message', (message: { readonly port: number }) => resolve(message.port)),
    );
    return new LoneEngine(child, port);
  }

  memory(): Promise<NodeJS.MemoryUsage> {
    return new Promise((resolve) => {
      this.#child.once('message', (message: { readonly memory: NodeJS.MemoryUsage }) => resolve(message.memory));
      this.#child.send('memory');
    });
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}

async function pour(socket: net.Socket, isChunked: boolean): Promise<void> {
  const piece = isChunked
    ? Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from('\r\n')])
    : PIECE;
  for (let sent = 0; sent < TOTAL && !socket.destroyed; sent += PIECE.length)
    if (!socket.write(piece)) await new Promise<void>((resolve) => socket.once('drain', () => resolve()));
  if (isChunked) socket.write('0\r\n\r\n');
}

/** Reads slowly, stops for a while, then reads the rest; resolves after the last octet. */
async function sip(socket: net.Socket, onStopped: () => Promise<void>): Promise<void> {
  let read = 0;
  const beganMs = performance.now();
  let isFree = false;
  let stop: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const whole = new Promise<void>((resolve) => {
    socket.on('data', (octets: Buffer) => {
      read += octets.length;
      if (read >= TOTAL) resolve();
      if (isFree) return;
      const aheadMs = read / SLOW_BYTES_PER_MS - (performance.now() - beganMs);
      if (read >= SLOW_BYTES) {
        socket.pause();
        stop();
      } else if (aheadMs > 2) {
        socket.pause();
        setTimeout(() => socket.resume(), aheadMs);
      }
    });
    socket.on('close', () => resolve());
  });
  socket.resume();
  await stopped;
  await onStopped();
  isFree = true;
  socket.resume();
  await whole;
  assert.ok(read >= TOTAL, `${read} octets came`);
}

test('a gibibyte for a slow receiver does not increase the memory of the engine', { timeout: 150_000 }, async (t) => {
  for (const way of WAYS) {
    await t.test(way.name, async (context) => {
      let reached: (socket: net.Socket) => void = () => {};
      const reach = new Promise<net.Socket>((resolve) => {
        reached = resolve;
      });
      const node = await startRawNode(({ socket }) => {
        socket.removeAllListeners('data');
        socket.once('data', () => {
          socket.pause();
          socket.write(way.answer);
          reached(socket);
        });
      });
      const engine = await LoneEngine.start(node.port);
      const client = await connectRawClient(engine.port);
      context.after(async () => {
        client.close();
        engine.close();
        await node.close();
      });
      client.socket.removeAllListeners('data');
      client.socket.pause();
      const before = await engine.memory();
      client.write(way.request);
      const upstream = await reach;
      const [from, to] = way.pours === 'node' ? [upstream, client.socket] : [client.socket, upstream];
      let peakBytes = 0;
      let isDone = false;
      const sample = async (): Promise<number> => {
        const grownBytes = (await engine.memory()).rss - before.rss;
        peakBytes = Math.max(peakBytes, grownBytes);
        return grownBytes;
      };
      const watch = (async () => {
        for (; !isDone; await sleep(SAMPLE_MS)) await sample();
      })();
      let heldBytes = 0;
      const pouring = pour(from, way.isChunked);
      await sip(to, async () => {
        const endMs = performance.now() + STILL_MS;
        for (; performance.now() < endMs; await sleep(SAMPLE_MS)) heldBytes = Math.max(heldBytes, await sample());
      });
      await pouring;
      isDone = true;
      await watch;
      const growth = `grew by ${Math.round(peakBytes / MIB)} MiB at most, ${Math.round(heldBytes / MIB)} MiB while its reader was stopped`;
      context.diagnostic(growth);
      assert.ok(heldBytes < MAX_HELD_BYTES && peakBytes < MAX_GROWTH_BYTES, growth);
    });
  }
});
