import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import type net from 'node:net';
import { test } from 'node:test';
import { startLane } from './lane.fixture.ts';
import { ok, type RawNodeConnection } from './raw-node.fixture.ts';
import { still } from './still.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

const HOST = 'Host: shop.example\r\n';
const PIECES = 400;
const PIECE_BYTES = 65_536;
const TOTAL = PIECE_BYTES * PIECES;
const HEAD = `HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Length: ${TOTAL}\r\n\r\n`;
const NOISE = randomBytes(PIECE_BYTES + PIECES);

/** All pieces differ, so that an octet in the wrong place is found. */
function pieceAt(i: number): Buffer {
  return NOISE.subarray(i, i + PIECE_BYTES);
}
/** Octets that may be held for one stalled side. Buffers of Node and of the sockets are not counted exactly. */
const HELD_BYTES = 8 * 1_048_576;

/** Writes all pieces with backpressure, each wrapped by `wrap`; resolves after the last. */
async function pour(socket: net.Socket, wrap: (piece: Buffer) => Buffer, onPiece: () => void): Promise<void> {
  for (let i = 0; i < PIECES; i++) {
    if (!socket.write(wrap(pieceAt(i)))) await new Promise<void>((resolve) => socket.once('drain', () => resolve()));
    onPiece();
  }
}

function wholeDigest(): string {
  const hash = createHash('sha256');
  for (let i = 0; i < PIECES; i++) hash.update(pieceAt(i));
  return hash.digest('hex');
}

test('an answer of 26 MB to a stalled client arrives complete, and the node is paused until then', () => {
  let poured = 0;
  const serve = (connection: RawNodeConnection): void => {
    void connection.heads().then(async () => {
      connection.write(HEAD);
      await pour(
        connection.socket,
        (piece) => piece,
        () => poured++,
      );
    });
  };
  return withLane(startLane([serve]), async (lane) => {
    const client = await lane.connect();
    client.socket.removeAllListeners('data');
    client.socket.pause();
    client.socket.write(`GET /a HTTP/1.1\r\n${HOST}\r\n`);
    await lane.reported('head n1 200');
    await still(() => poured);
    assert.ok(poured < PIECES, 'the node is paused');
    const held = process.memoryUsage().arrayBuffers;
    assert.ok(
      lane.router.nodes[0]!.counters.bytesFromNode < HELD_BYTES,
      `${lane.router.nodes[0]!.counters.bytesFromNode} read`,
    );
    const head = HEAD.length;
    let skipped = 0;
    const hash = createHash('sha256');
    const done = new Promise<string>((resolve) => {
      let left = TOTAL;
      client.socket.on('data', (octets: Buffer) => {
        const skip = Math.min(octets.length, head - skipped);
        skipped += skip;
        hash.update(octets.subarray(skip));
        left -= octets.length - skip;
        if (left === 0) resolve(hash.digest('hex'));
      });
    });
    client.socket.resume();
    assert.equal(await done, wholeDigest());
    assert.ok(process.memoryUsage().arrayBuffers < held + 4 * HELD_BYTES);
    await lane.reported('end n1 ok');
  });
});

test('answers to stalled clients are not changed by later octets of other nodes', () => {
  const serve = (connection: RawNodeConnection): void => {
    void connection.heads().then(async () => {
      connection.write(HEAD);
      await pour(
        connection.socket,
        (piece) => piece,
        () => {},
      );
    });
  };
  return withLane(startLane([serve]), async (lane) => {
    const readers: ReadableStreamDefaultReader<Uint8Array>[] = [];
    const hashes = Array.from({ length: 4 }, () => createHash('sha256'));
    for (const hash of hashes) {
      const reader = (await fetch(`http://127.0.0.1:${lane.port}/a`)).body!.getReader();
      readers.push(reader);
      hash.update((await reader.read()).value!);
      await still(() => lane.router.nodes[0]!.counters.bytesFromNode);
    }
    // One after the other: the others stall while this one is read.
    for (const [i, reader] of readers.entries()) {
      for (let part = await reader.read(); !part.done; part = await reader.read()) hashes[i]!.update(part.value);
      assert.equal(hashes[i]!.digest('hex'), wholeDigest(), `answer ${i}`);
    }
  });
});

test('a chunked answer of 26 MB to a stalled client arrives complete', () => {
  const serve = (connection: RawNodeConnection): void => {
    void connection.heads().then(async () => {
      connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const size = Buffer.from(`${PIECE_BYTES.toString(16)}\r\n`);
      await pour(
        connection.socket,
        (piece) => Buffer.concat([size, piece, Buffer.from('\r\n')]),
        () => {},
      );
      connection.write('0\r\n\r\n');
    });
  };
  return withLane(startLane([serve]), async (lane) => {
    const response = await fetch(`http://127.0.0.1:${lane.port}/a`);
    const reader = response.body!.getReader();
    const hash = createHash('sha256');
    hash.update((await reader.read()).value!);
    await still(() => lane.router.nodes[0]!.counters.bytesFromNode);
    assert.ok(lane.router.nodes[0]!.counters.bytesFromNode < TOTAL);
    for (let part = await reader.read(); !part.done; part = await reader.read()) hash.update(part.value);
    assert.equal(hash.digest('hex'), wholeDigest());
  });
});

for (const framing of ['length', 'chunks']) {
  test(`an upload of 26 MB by ${framing} to a stalled node arrives complete, and the client is paused until then`, () => {
    const served: { socket?: net.Socket } = {};
    const serve = (connection: RawNodeConnection): void => {
      connection.socket.removeAllListeners('data');
      connection.socket.pause();
      served.socket = connection.socket;
    };
    return withLane(startLane([serve]), async (lane) => {
      const client = await lane.connect();
      const isChunked = framing === 'chunks';
      const field = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${TOTAL}`;
      client.write(`POST /a HTTP/1.1\r\n${HOST}${field}\r\n\r\n`);
      await lane.nodes[0]!.connection();
      const size = Buffer.from(`${PIECE_BYTES.toString(16)}\r\n`);
      const wrap = (piece: Buffer): Buffer => (isChunked ? Buffer.concat([size, piece, Buffer.from('\r\n')]) : piece);
      let poured = 0;
      const pouring = pour(client.socket, wrap, () => poured++).then(() => isChunked && client.write('0\r\n\r\n'));
      await still(() => poured);
      assert.ok(poured < PIECES, 'the client is paused');
      const { bytesToNode } = lane.router.nodes[0]!.counters;
      assert.ok(bytesToNode < HELD_BYTES, `${bytesToNode} octets taken for a node that reads nothing`);
      const socket = served.socket!;
      const body: Buffer[] = [];
      const isWhole = (text: Buffer): boolean =>
        isChunked
          ? text.subarray(-5).toString() === '0\r\n\r\n'
          : body.reduce((sum, { length }) => sum + length, 0) >= TOTAL;
      await new Promise<void>((resolve) => {
        socket.on('data', (octets: Buffer) => {
          body.push(octets);
          if (isWhole(octets)) resolve();
        });
        socket.resume();
      });
      await pouring;
      socket.write(ok());
      assert.match(await client.sees('\r\n\r\nok'), /^HTTP\/1\.1 200/);
      const whole = Buffer.concat(body);
      const start = whole.indexOf('\r\n\r\n') + 4;
      assert.equal(
        createHash('sha256')
          .update(payload(whole.subarray(start), isChunked))
          .digest('hex'),
        wholeDigest(),
      );
    });
  });
}

/** The payload of a body; chunks are decoded in the simplest way. */
function payload(body: Buffer, isChunked: boolean): Buffer {
  if (!isChunked) return body;
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.toString('latin1', at, lineEnd), 16);
    if (size === 0) return Buffer.concat(parts);
    parts.push(body.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

test('many bodies in both directions are not mixed with bodies of clients that leave', () => {
  const BYTES = 300_000;
  const echo = (connection: RawNodeConnection): void => {
    connection.socket.removeAllListeners('data');
    let head = '';
    connection.socket.on('data', (octets) => {
      if (head !== '') {
        if (!connection.socket.write(octets)) {
          connection.socket.pause();
          connection.socket.once('drain', () => connection.socket.resume());
        }
        return;
      }
      const end = octets.indexOf('\r\n\r\n') + 4;
      head = octets.toString('latin1', 0, end);
      connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BYTES}\r\nConnection: close\r\n\r\n`);
      connection.socket.write(octets.subarray(end));
    });
  };
  return withLane(startLane([echo]), async (lane) => {
    const visit = async (number: number): Promise<void> => {
      const body = Buffer.alloc(BYTES, number);
      const leaving = new AbortController();
      const response = await fetch(`http://127.0.0.1:${lane.port}/a`, {
        method: 'POST',
        body,
        signal: leaving.signal,
      });
      if (number % 3 === 0) {
        leaving.abort();
        await response.arrayBuffer().catch(() => undefined);
        return;
      }
      assert.equal(response.status, 200, `body ${number}`);
      const got = Buffer.from(await response.arrayBuffer());
      assert.ok(got.equals(body), `body ${number}`);
    };
    for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 40 }, (_, i) => visit(1 + i)));
  });
});
