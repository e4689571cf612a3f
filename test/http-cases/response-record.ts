/** Responses that a client received, parsed as liberally as clients do, so that no octet is overlooked. */

export interface ReceivedResponse {
  /** -1 when there is no status line, -2 when the head does not end. */
  readonly status: number;
  readonly head: string;
  /** Lower-case names and values; a line without colon has the name `''`. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly isComplete: boolean;
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
}

export function isInterim({ status }: ReceivedResponse): boolean {
  return status >= 100 && status < 200 && status !== 101;
}

/** All responses in `octets`, to requests of `methods` (GET beyond its end); `hasEnded`: nothing more will come. */
export function readResponses(octets: string, methods: readonly string[], hasEnded: boolean): ReceivedResponse[] {
  const responses: ReceivedResponse[] = [];
  let rest = octets;
  let finals = 0;
  while (rest.length > 0) {
    const end = /\r?\n\r?\n/.exec(rest);
    if (!end) {
      responses.push({ status: -2, head: rest, fields: [], body: '', isComplete: false, framing: 'none' });
      break;
    }
    const head = rest.slice(0, end.index);
    rest = rest.slice(end.index + end[0].length);
    const [first = '', ...lines] = head.split(/\r?\n/);
    const status = Number(/^HTTP\/1\.[01] ([0-9]{3})/.exec(first)?.[1] ?? -1);
    const fields = lines.map((line): readonly [string, string] => {
      const colon = line.indexOf(':');
      return colon < 0 ? ['', line] : [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    if (status >= 100 && status < 200) {
      responses.push({ status, head, fields, body: status === 101 ? rest : '', isComplete: true, framing: 'none' });
      if (status === 101) break;
      continue;
    }
    const body = readBody(rest, status, methods[finals++] ?? 'GET', fields, hasEnded);
    responses.push({ status, head, fields, ...body });
    if (status < 0 || !body.isComplete) break;
    rest = rest.slice(body.taken);
  }
  return responses;
}

interface ReadBody {
  readonly body: string;
  readonly isComplete: boolean;
  readonly framing: ReceivedResponse['framing'];
  readonly taken: number;
}

function readBody(
  rest: string,
  status: number,
  method: string,
  fields: ReceivedResponse['fields'],
  hasEnded: boolean,
): ReadBody {
  if (method === 'HEAD' || status === 204 || status === 304)
    return { body: '', isComplete: true, framing: 'none', taken: 0 };
  const value = (name: string): string | undefined => fields.find(([own]) => own === name)?.[1];
  if (value('transfer-encoding')?.toLowerCase().includes('chunked')) return readChunks(rest);
  const length = value('content-length');
  if (length !== undefined) {
    const body = rest.slice(0, Number(length));
    return { body, isComplete: body.length === Number(length), framing: 'length', taken: body.length };
  }
  return { body: rest, isComplete: hasEnded, framing: 'close', taken: rest.length };
}

function readChunks(rest: string): ReadBody {
  let body = '';
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at);
    const size = Number.parseInt(lineEnd < 0 ? '' : rest.slice(at, lineEnd), 16);
    if (Number.isNaN(size)) return { body, isComplete: false, framing: 'chunked', taken: rest.length };
    at = lineEnd + 2;
    if (size === 0) {
      const end = rest.slice(at).search(/^(?:[^\r\n]+\r\n)*\r\n/);
      const taken = end < 0 ? rest.length : at + (/^(?:[^\r\n]+\r\n)*\r\n/.exec(rest.slice(at))?.[0].length ?? 0);
      return { body, isComplete: end === 0, framing: 'chunked', taken };
    }
    body += rest.slice(at, at + size);
    at += size;
    if (rest.slice(at, at + 2) !== '\r\n') return { body, isComplete: false, framing: 'chunked', taken: rest.length };
    at += 2;
  }
}
