/** Node's parser, called directly: about ten times faster than through a server. It is undocumented, so `nodeParser` may be undefined. */
import http from 'node:http';
import { createRequire } from 'node:module';

/** One message as Node's parser understands it. */
export interface NodeMessage {
  /** Of requests only. */
  readonly method: string;
  readonly target: string;
  /** Of responses only. */
  readonly status: number;
  readonly reason: string;
  readonly version: string;
  /** Names and values, alternating. */
  readonly fields: readonly string[];
  /** The octets behind it are no longer HTTP, for Node's parser. */
  readonly isUpgrade: boolean;
  body: string;
  isComplete: boolean;
}

export interface NodeReading {
  readonly messages: readonly NodeMessage[];
  /** Node's error code; `''` without an error. */
  readonly error: string;
}

interface Parser {
  [callback: number]: (...args: never[]) => unknown;
  initialize(kind: number, resource: object, maxHeaderBytes: number, lenient: number): void;
  execute(octets: Buffer): number | (Error & { readonly code?: string });
  finish(): undefined | (Error & { readonly code?: string });
  close(): void;
}

type ParserClass = (new () => Parser) & Readonly<Record<string, number>>;

/** The parser of Node's own `http`. */
function parserClass(): ParserClass | undefined {
  try {
    process.noDeprecation = true;
    const common: { readonly HTTPParser?: ParserClass } = createRequire(import.meta.url)('node:_http_common');
    return typeof common.HTTPParser === 'function' ? common.HTTPParser : undefined;
  } catch {
    return undefined;
  }
}

export type NodeParser = (octets: string, kind: 'request' | 'response', method: string) => NodeReading;

/** Reads all `octets`; of responses until the first final one, to a request by `method`. `undefined` without the parser. */
export const nodeParser: NodeParser | undefined = parserOf(parserClass());

/** Methods by the numbers that the parser gives them. */
function methodNames(HTTPParser: ParserClass): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const name of http.METHODS) {
    const parser = new HTTPParser();
    parser.initialize(HTTPParser['REQUEST']!, {}, 1_024, 0);
    parser[HTTPParser['kOnHeadersComplete']!] = (_major: number, _minor: number, _fields: unknown, method: number) => {
      names.set(method, name);
      return 0;
    };
    parser.execute(Buffer.from(`${name} ${name === 'CONNECT' ? 'a:1' : '/'} HTTP/1.1\r\nHost: a\r\n\r\n`));
    parser.close();
  }
  return names;
}

function parserOf(HTTPParser: ParserClass | undefined): NodeParser | undefined {
  if (HTTPParser === undefined) return undefined;
  const methods = methodNames(HTTPParser);
  return (octets, kind, requestMethod) => {
    const messages: NodeMessage[] = [];
    const parser = new HTTPParser();
    parser.initialize(HTTPParser[kind === 'request' ? 'REQUEST' : 'RESPONSE']!, {}, 1_048_576, 0);
    let flushed: string[] = [];
    let flushedTarget = '';
    const on = (name: string, callback: (...args: never[]) => unknown): void => {
      parser[HTTPParser[name]!] = callback;
    };
    on('kOnHeaders', (fields: string[], target: string) => {
      // Behind a body these are trailers, which are not compared here.
      flushed.push(...fields);
      flushedTarget += target;
    });
    on(
      'kOnHeadersComplete',
      (
        major: number,
        minor: number,
        fields: string[] | undefined,
        method: number | undefined,
        target: string | undefined,
        status: number | undefined,
        reason: string | undefined,
        isUpgrade: boolean,
      ) => {
        messages.push({
          method: method === undefined ? '' : (methods.get(method) ?? ''),
          target: target ?? flushedTarget,
          status: status ?? 0,
          reason: reason ?? '',
          version: `${major}.${minor}`,
          fields: fields ?? flushed,
          isUpgrade,
          body: '',
          isComplete: false,
        });
        flushed = [];
        flushedTarget = '';
        return kind === 'response' && requestMethod === 'HEAD' ? 1 : 0;
      },
    );
    on('kOnBody', (octetsOfBody: Buffer) => {
      messages.at(-1)!.body += octetsOfBody.toString('latin1');
    });
    on('kOnMessageComplete', () => {
      messages.at(-1)!.isComplete = true;
      flushed = [];
      flushedTarget = '';
    });
    const whole = Buffer.from(octets, 'latin1');
    const read = parser.execute(whole);
    let error = read instanceof Error ? (read.code ?? 'error') : '';
    if (error === '' && kind === 'response') error = parser.finish()?.code ?? '';
    parser.close();
    return { messages, error };
  };
}
