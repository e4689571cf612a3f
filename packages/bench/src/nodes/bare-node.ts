/**
 * Two nodes in one process: `bare-node.js PORT PORT`. They use bare sockets, so that they need less CPU than the contender. They parse
 * only the necessary parts of a request, and trust the proxies.
 */
import { createHash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { FRAME_BYTES, MASKED_FRAME_BYTES, MESSAGE_BYTES } from '../load/tunnel-client.ts';
import { bodyOf, CHUNKED, PAGES, SOCKET_PATH, UPLOAD_PATH } from './answers.ts';

const CHUNKS = 8;
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = '0\r\n\r\n';

const answers = new Map<string, Buffer>();
for (const page of PAGES) answers.set(page.path, answer(`Content-Length: ${page.bodyBytes}`, bodyOf(page)));
const chunkBytes = CHUNKED.bodyBytes / CHUNKS;
const chunk = `${chunkBytes.toString(16)}\r\n${'c'.repeat(chunkBytes)}\r\n`;
answers.set(CHUNKED.path, answer('Transfer-Encoding: chunked', chunk.repeat(CHUNKS) + LAST_CHUNK));
answers.set(UPLOAD_PATH, Buffer.from('HTTP/1.1 204 No Content\r\nServer: node\r\n\r\n'));
const notFound = Buffer.from('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
const frame = Buffer.concat([Buffer.from([0x82, MESSAGE_BYTES]), Buffer.alloc(FRAME_BYTES - 2, 'a')]);

function answer(framing: string, body: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 200 OK\r\nServer: node\r\nDate: ${new Date().toUTCString()}\r\nContent-Type: text/plain\r\n${framing}\r\n\r\n${body}`,
  );
}

function serve(socket: Socket): void {
  let head = '';
  let reply: Buffer | undefined;
  /** Octets of the request's body to come; infinite for chunks, whose end is looked for. */
  let left = 0;
  let tail = '';
  let isLast = false;
  let isTunnel = false;
  let received = 0;

  const finish = (): void => {
    socket.write(reply!);
    reply = undefined;
    if (isLast) socket.end();
  };
  const readHead = (text: string): void => {
    const path = text.slice(text.indexOf(' ') + 1, text.indexOf(' ', text.indexOf(' ') + 1));
    isLast = /\r\nconnection: *close/i.test(text);
    if (path === SOCKET_PATH) {
      isTunnel = true;
      const key = /\r\nsec-websocket-key: *(\S+)/i.exec(text)?.[1] ?? '';
      const accept = createHash('sha1')
        .update(key + ACCEPT_SUFFIX)
        .digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      return;
    }
    reply = answers.get(path) ?? notFound;
    left = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
    if (/\r\ntransfer-encoding: *chunked/i.test(text)) left = Number.POSITIVE_INFINITY;
    tail = '';
  };
  const take = (octets: Buffer): void => {
    if (isTunnel) {
      received += octets.length;
      for (; received >= MASKED_FRAME_BYTES; received -= MASKED_FRAME_BYTES) socket.write(frame);
      return;
    }
    if (reply === undefined) {
      head += octets.toString('latin1');
      const end = head.indexOf(HEAD_END);
      if (end < 0) return;
      const rest = head.slice(end + HEAD_END.length);
      readHead(head.slice(0, end + 2));
      head = '';
      if (isTunnel || left > 0) {
        if (rest !== '') take(Buffer.from(rest, 'latin1'));
      } else finish();
      return;
    }
    if (left === Number.POSITIVE_INFINITY) {
      tail = (tail + octets.toString('latin1')).slice(-LAST_CHUNK.length);
      if (tail === LAST_CHUNK) finish();
    } else {
      left -= octets.length;
      if (left <= 0) finish();
    }
  };
  socket.setNoDelay(true);
  socket.on('data', take);
  socket.on('error', () => socket.destroy());
}

for (const port of process.argv.slice(2)) createServer(serve).listen(Number(port), '127.0.0.1', 4_096);
