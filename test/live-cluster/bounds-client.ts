/**
 * The bounds client: a process with a few visitors that all ask for one node. Each visitor keeps a silent event stream, a
 * stalled answer and a long poll open. After the first long poll, it also repeats a request with a wide response head and a
 * refused upload. So at first only the silent answers run into their bounds.
 *
 * Requests of one kind start together, so that they also run into a bound together. Each request carries the node's
 * bare route, and new cookies are ignored. So the load returns to an ejected node and does not spread.
 *
 * Started with one argument, a `BoundsClientOptions` as JSON. It sends `BoundsMessage`s to its parent, and ends when its
 * parent sends `stop`.
 */
import { once, setMaxListeners } from 'node:events';
import { createWriteStream } from 'node:fs';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { BOUNDS_ID_PREFIX, BOUNDS_KINDS, type BoundsAnswer, type BoundsKind } from './bounds-ledger.ts';
import { nowMs } from './instant.ts';
import { INSTANCE_FIELD, LEDGER_FIELD } from './programs/node-ledger.ts';

export interface BoundsClientOptions {
  readonly proxyPort: number;
  readonly host: string;
  /** Route of the node that all requests ask for. */
  readonly route: string;
  readonly visitors: number;
  /** When the node answers a long poll, milliseconds. */
  readonly pollMs: number;
  /** File of the answers. */
  readonly file: string;
}

/** `started`: the first requests were sent. `done`: all answers are in the file. */
export type BoundsMessage = { readonly type: 'started' } | { readonly type: 'done' };

const UPLOAD_BYTES = 8 * 1_024 * 1_024;
const CHUNK = Buffer.alloc(65_536, 'x');
/** From the end of a request to the visitor's next one of its kind. */
const GAP_MS: Readonly<Record<BoundsKind, number>> = {
  stream: 100,
  stalled: 100,
  poll: 100,
  fields: 1_000,
  upload: 3_000,
};

const options = JSON.parse(process.argv[2] ?? '') as BoundsClientOptions;
const out = createWriteStream(options.file);
const open = new Set<() => void>();
const stopping = new AbortController();
// One wait for each visitor and kind.
setMaxListeners(options.visitors * BOUNDS_KINDS.length, stopping.signal);
let number = 0;
let endFirstPoll: () => void = () => undefined;
const firstPoll = new Promise<void>((resolve) => {
  endFirstPoll = resolve;
});

function send(message: BoundsMessage): void {
  process.send?.(message);
}

function requestOf(path: string, fields: http.OutgoingHttpHeaders): http.ClientRequest {
  return http.request({
    host: '127.0.0.1',
    port: options.proxyPort,
    method: fields['content-length'] === undefined ? 'GET' : 'POST',
    path,
    agent: false,
    headers: {
      host: options.host,
      cookie: `rc_route=${options.route}`,
      ...fields,
    },
  });
}

function instanceOf(response: http.IncomingMessage): string | undefined {
  const value = response.headers[INSTANCE_FIELD];
  return typeof value === 'string' ? value : undefined;
}

function pathOf(kind: BoundsKind): string {
  if (kind === 'poll') return `/poll?ms=${options.pollMs}`;
  return kind === 'stream' ? '/events' : `/${kind}`;
}

/** Sends one request, and writes its `BoundsAnswer` when it ends. Resolves then; never rejects. */
function ask(kind: BoundsKind): Promise<void> {
  const id = `${BOUNDS_ID_PREFIX}${number++}`;
  const sentMs = nowMs();
  const isUpload = kind === 'upload';
  let head: Pick<BoundsAnswer, 'status' | 'instance'> = {};
  return new Promise((resolve) => {
    const request = requestOf(pathOf(kind), {
      [LEDGER_FIELD]: id,
      ...(isUpload ? { 'content-type': 'application/octet-stream', 'content-length': UPLOAD_BYTES } : {}),
    });
    let isOver = false;
    const over = (end: BoundsAnswer['end'], error?: string): void => {
      if (isOver) return;
      isOver = true;
      open.delete(leave);
      const answer: BoundsAnswer = {
        id,
        kind,
        sentMs,
        doneMs: nowMs(),
        end,
        ...head,
        ...(error === undefined ? {} : { error }),
      };
      out.write(`${JSON.stringify(answer)}\n`);
      request.destroy();
      resolve();
    };
    const leave = (): void => over('left');
    open.add(leave);
    request.on('error', (error: NodeJS.ErrnoException) => {
      over(head.status === undefined ? 'failed' : 'cut', error.code ?? error.message);
    });
    request.on('response', (response) => {
      const instance = instanceOf(response);
      head = {
        status: response.statusCode ?? 0,
        ...(instance === undefined ? {} : { instance }),
      };
      response.resume();
      response.on('error', () => over('cut'));
      response.on('close', () => over(response.complete ? 'whole' : 'cut'));
    });
    if (!isUpload) {
      request.end();
      return;
    }
    let unsentBytes = UPLOAD_BYTES;
    const sendChunk = (): void => {
      // The last chunk is never sent: socket buffers may hold all others, and the body must be incomplete at the answer.
      if (isOver || head.status !== undefined || unsentBytes <= CHUNK.length) return;
      unsentBytes -= CHUNK.length;
      if (request.write(CHUNK)) setImmediate(sendChunk);
      else request.once('drain', sendChunk);
    };
    sendChunk();
  });
}

async function repeat(kind: BoundsKind): Promise<void> {
  const { signal } = stopping;
  if (kind === 'fields' || kind === 'upload') await firstPoll;
  while (!signal.aborted) {
    await ask(kind);
    if (kind === 'poll') endFirstPoll();
    await sleep(GAP_MS[kind], undefined, { signal }).catch(() => undefined);
  }
}

process.on('message', () => {
  stopping.abort();
  for (const leave of open) leave();
});

await once(out, 'open');
const kinds = Array.from({ length: options.visitors }, () => BOUNDS_KINDS).flat();
const loops = kinds.map(repeat);
send({ type: 'started' });
await Promise.all(loops);
await new Promise((resolve) => out.end(resolve));
send({ type: 'done' });
process.disconnect?.();
