/**
 * Recordings of real nodes with the real proxy modules, as exchanges. `head-`: mod_proxy_cluster main; `v13-`: native 1.3.x. Files with
 * `raw-` have a small client instead of a node. The recordings are byte-exact; test-data/README.md describes them.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { RequestReader, type WireFault, type WireRequest } from '../wire/request-reader.ts';

interface Line {
  readonly t: number;
  readonly dir: '>' | '<' | '#';
  readonly conn?: number;
  readonly text: string;
}

/** A recorded reply; `undefined` where the proxy gave none. */
export interface RecordedReply {
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface Exchange {
  readonly type: 'exchange';
  readonly atMs: number;
  readonly connection: number;
  /** Case of a raw recording; empty in others. */
  readonly name: string;
  readonly request: WireRequest | WireFault;
  /** Sent by a node, not by a looking client. */
  readonly isOfNode: boolean;
  reply: RecordedReply | undefined;
}

/** A remark of the recorder about node, proxy or link. */
export interface Remark {
  readonly type: 'remark';
  readonly atMs: number;
  readonly text: string;
}

const FILE = new URL('../../test-data/recordings.json.gz', import.meta.url);
let loaded: Readonly<Record<string, readonly Line[]>> | undefined;

function recordings(): Readonly<Record<string, readonly Line[]>> {
  loaded ??= JSON.parse(gunzipSync(readFileSync(FILE)).toString('utf8')) as Readonly<Record<string, readonly Line[]>>;
  return loaded;
}

/** Names of all recordings. */
export function recordingNames(): string[] {
  return Object.keys(recordings());
}

/** Requests with their replies, and remarks, in order of time. */
export function recording(name: string): (Exchange | Remark)[] {
  const steps: (Exchange | Remark)[] = [];
  const readers = new Map<number, RequestReader>();
  const waiting = new Map<number, Exchange[]>();
  const replies = new Map<number, string>();
  let caseName = '';
  for (const { t, dir, conn = -1, text } of recordings()[name]!) {
    if (dir === '#') {
      if (text.startsWith('case ')) caseName = text.slice(5);
      else if (conn < 0) steps.push({ type: 'remark', atMs: t, text });
      continue;
    }
    if (dir === '<') {
      replies.set(conn, (replies.get(conn) ?? '') + text);
      takeReplies(replies, conn, waiting.get(conn) ?? []);
      continue;
    }
    const reader = readers.get(conn) ?? new RequestReader();
    readers.set(conn, reader);
    reader.push(text);
    for (let request = reader.next(); request; request = reader.next()) {
      if (request.type === 'continue') continue;
      const isOfNode = text.includes('User-Agent: ClusterListener');
      const exchange: Exchange = {
        type: 'exchange',
        atMs: t,
        connection: conn,
        name: caseName,
        request,
        isOfNode,
        reply: undefined,
      };
      steps.push(exchange);
      waiting.set(conn, [...(waiting.get(conn) ?? []), exchange]);
    }
  }
  return steps;
}

function takeReplies(texts: Map<number, string>, conn: number, waiting: Exchange[]): void {
  for (;;) {
    const text = texts.get(conn)!;
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) return;
    const [first = '', ...lines] = text.slice(0, end).split('\r\n');
    const status = Number(first.split(' ')[1]);
    const fields = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
    );
    const rest = text.slice(end + 4);
    const body = fields.get('transfer-encoding') === 'chunked' ? unchunked(rest) : sized(rest, fields);
    if (body === undefined) return;
    texts.set(conn, rest.slice(body.used));
    const exchange = waiting.find(({ reply }) => reply === undefined);
    if (exchange && status !== 100) exchange.reply = { status, fields, body: body.text };
  }
}

function unchunked(text: string): { readonly text: string; readonly used: number } | undefined {
  let [body, at] = ['', 0];
  for (;;) {
    const end = text.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const size = Number.parseInt(text.slice(at, end), 16);
    if (text.length < end + size + 4) return undefined;
    body += text.slice(end + 2, end + 2 + size);
    at = end + size + 4;
    if (size === 0) return { text: body, used: at };
  }
}

/** Without a length the reply ends with the connection: all that is there. */
function sized(
  text: string,
  fields: ReadonlyMap<string, string>,
): { readonly text: string; readonly used: number } | undefined {
  const length = Number(fields.get('content-length') ?? text.length);
  return text.length < length ? undefined : { text: text.slice(0, length), used: length };
}

/** The datagrams of a recording in which a proxy advertises itself. */
export function datagrams(name: string): string[] {
  return recordings()
    [name]!.filter(({ dir, text }) => dir === '<' && text.includes('\r\nSequence: '))
    .map(({ text }) => text);
}
