/**
 * Node's own parser, called directly: some ten times quicker than through a server, which is what makes a long run long.
 * Node does not promise that it can be reached, so `nodeParser` may be undefined.
 */

/** One message as Node's parser understands it. */
export interface NodeMessage {
  /** Of requests. */
  readonly method: string;
  readonly target: string;
  /** Of responses. */
  readonly status: number;
  readonly reason: string;
  readonly version: string;
  /** Names and values in turn. */
  readonly fields: readonly string[];
  /** Behind it octets are not HTTP any more, for all it knows. */
  readonly isUpgrade: boolean;
  body: string;
  isComplete: boolean;
}

export interface NodeReading {
  readonly messages: readonly NodeMessage[];
  /** Its code for what is wrong; `''` for nothing. */
  readonly error: string;
}

interface Parser {
  [callback: number]: (...args: never[]) => unknown;
  initialize(kind: number, resource: object, maxHeaderBytes: number, lenient: number): void;
  execute(octets: Buffer): number | (Error & { readonly code?: string });
  finish(): undefined | (Error & { readonly code?: string });
  close(): void;
}

interface Binding {
  readonly HTTPParser: (new () => Parser) & Readonly<Record<string, number>>;
  readonly allMethods?: readonly string[];
  readonly methods: readonly string[];
}

function binding(): Binding | undefined {
  try {
    process.noDeprecation = true;
    const { binding: find } = process as unknown as { binding(name: string): Binding };
    const found = find.call(process, 'http_parser');
    return typeof found.HTTPParser === 'function' ? found : undefined;
  } catch {
    return undefined;
  }
}

export type NodeParser = (octets: string, kind: 'request' | 'response', method: string) => NodeReading;

/** Reads `octets` to their end; of responses the first final one, to a request by `method`. `undefined`: not to be had. */
export const nodeParser: NodeParser | undefined = parserOf(binding());

function parserOf(found: Binding | undefined): NodeParser | undefined {
  if (found === undefined) return undefined;
  const { HTTPParser } = found;
  const methods = found.allMethods ?? found.methods;
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
      // Behind a body these are trailers, which belong to nobody here.
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
          method: method === undefined ? '' : (methods[method] ?? ''),
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
