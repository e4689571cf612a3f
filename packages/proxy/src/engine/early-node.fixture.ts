/**
 * A program: a node that answers before it has read the request, in the way that the target names, and closes. Prints its port. It is a
 * separate process, so that it answers while the engine is busy. Sends `head` after each head.
 */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';

const BODY = 'the upload is too large\n';
const HEAD = 'HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n';
const WHOLE = `${HEAD}Content-Length: ${BODY.length}\r\n\r\n${BODY}`;
const LONG_BYTES = 150_000;

type Way = (socket: net.Socket) => Promise<void> | void;

/** Resolves when the kernel has accepted `text`. */
function write(socket: net.Socket, text: string): Promise<void> {
  return new Promise((resolve) => socket.write(text, () => resolve()));
}

/** Lets a part of the request arrive and leaves it unread, so that the close is a reset. */
async function reset(socket: net.Socket): Promise<void> {
  await sleep(20);
  socket.destroy();
}

const WAYS: Readonly<Record<string, Way>> = {
  /** Closes in the same turn. */
  '/at-once': async (socket) => {
    await write(socket, WHOLE);
    socket.destroy();
  },
  '/later': async (socket) => {
    await write(socket, WHOLE);
    await reset(socket);
  },
  /** Reads a part of the body first. */
  '/after-a-part': async (socket) => {
    socket.resume();
    await sleep(10);
    socket.pause();
    await write(socket, WHOLE);
    await reset(socket);
  },
  /** Ends its side before it closes. */
  '/ended': async (socket) => {
    await new Promise<void>((resolve) => socket.end(WHOLE, 'latin1', () => resolve()));
    await reset(socket);
  },
  '/two-pieces': async (socket) => {
    await write(socket, WHOLE.slice(0, 70));
    await sleep(10);
    await write(socket, WHOLE.slice(70));
    await reset(socket);
  },
  '/chunked': async (socket) => {
    const chunk = `${BODY.length.toString(16)}\r\n${BODY}\r\n`;
    await write(socket, `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`);
    await reset(socket);
  },
  '/no-body': async (socket) => {
    await write(socket, 'HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    await reset(socket);
  },
  /** More than the engine reads at once, and than its receive buffer holds before the read. */
  '/long': async (socket) => {
    await write(socket, `${HEAD}Content-Length: ${LONG_BYTES}\r\n\r\n${'x'.repeat(LONG_BYTES)}`);
    await sleep(500);
    await reset(socket);
  },
  /** Announces a kept connection, and closes it nevertheless. */
  '/keep-alive': async (socket) => {
    await write(socket, `HTTP/1.1 413 Content Too Large\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`);
    await reset(socket);
  },
  /** Answers and reads no more, without closing. */
  '/open': async (socket) => {
    await write(socket, `HTTP/1.1 413 Content Too Large\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`);
  },
  /** Sends 100 for the body, and refuses it. */
  '/continue': async (socket) => {
    await write(socket, 'HTTP/1.1 100 Continue\r\n\r\n');
    await sleep(20);
    await write(socket, WHOLE);
    await reset(socket);
  },
};

function serve(socket: net.Socket): void {
  socket.on('error', () => {});
  socket.once('data', (octets: Buffer) => {
    socket.pause();
    process.send?.('head');
    void WAYS[octets.toString('latin1').split(' ')[1] ?? '']?.(socket);
  });
}

const [, , keyFile, certificateFile] = process.argv;
const isTls = keyFile !== undefined && certificateFile !== undefined;
const server = isTls
  ? tls.createServer({ key: readFileSync(keyFile), cert: readFileSync(certificateFile) }, serve)
  : net.createServer({ noDelay: true, allowHalfOpen: true }, serve);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.(address.port);
});
process.on('disconnect', () => process.exit());
