/**
 * Node's own parser as the judge of ours: what we accept, it accepts, with the same method, target, fields and framing.
 * Cases are mutated octet by octet and line by line; the seed is fixed and printed, `ORACLE_SEED` and `ORACLE_RUNS`
 * change it.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import type { Rng } from '@rollcall/core';
import { seededRng } from '@rollcall/core/testing';
import { requestCases } from './case-corpus.fixture.ts';
import { FIELD, requestField } from './field-names.ts';
import { asciiOctets } from './octets.ts';
import { normalLine, type ReadRequest, RequestReader } from './request-reader.fixture.ts';

const SEED = Number(process.env['ORACLE_SEED'] ?? 20_261_121);
const RUNS = Number(process.env['ORACLE_RUNS'] ?? 6_000);
const MAX_OCTETS = 6_000;

interface NodeRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly lines: readonly string[];
  body: string;
  isComplete: boolean;
}

/** What Node's parser makes of the same octets. */
async function readByNode(octets: string): Promise<{ requests: NodeRequest[]; error: string }> {
  const requests: NodeRequest[] = [];
  let error = '';
  const server = http.createServer(
    { maxHeaderSize: 1_048_576, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 },
    (request) => {
      const lines: string[] = [];
      for (let i = 0; i < request.rawHeaders.length; i += 2)
        lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
      const one: NodeRequest = {
        method: request.method ?? '',
        target: request.url ?? '',
        version: request.httpVersion,
        lines,
        body: '',
        isComplete: false,
      };
      requests.push(one);
      request.on('data', (data: Buffer) => {
        one.body += data.toString('latin1');
      });
      request.on('end', () => {
        one.isComplete = true;
      });
      request.on('error', () => {});
    },
  );
  server.maxHeadersCount = 0;
  server.on('checkContinue', (request, response) => server.emit('request', request, response));
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('clientError', (failure: NodeJS.ErrnoException) => {
    error ||= failure.code ?? failure.message;
  });
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  server.emit('connection', stream);
  stream.push(Buffer.from(octets, 'latin1'));
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  stream.destroy();
  await new Promise((resolve) => setImmediate(resolve));
  return { requests, error };
}

const INTERESTING = [
  ...[
    '\r\n',
    '\r',
    '\n',
    '\0',
    ' ',
    '\t',
    ':',
    ';',
    ',',
    '"',
    '\x0b',
    '\x7f',
    '\x80',
    '\xff',
    '0',
    '1',
    '5',
    '10',
    'a',
    'X',
    '-',
    '+',
  ],
  ...[
    'Content-Length: 3\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Host: b\r\n',
    'Connection: close\r\n',
    ' chunked',
    '\r\n\r\n',
    'HTTP/1.1',
    'http://a',
  ],
];

function mutate(octets: string, others: readonly string[], rng: Rng): string {
  const at = Math.floor(rng() * (octets.length + 1));
  const pick = <T>(list: readonly T[]): T => list[Math.floor(rng() * list.length)]!;
  switch (Math.floor(rng() * 8)) {
    case 0:
      return octets.slice(0, at) + octets.slice(at + 1);
    case 1:
      return octets.slice(0, at) + pick(INTERESTING) + octets.slice(at);
    case 2:
      return octets.slice(0, at) + String.fromCharCode(Math.floor(rng() * 256)) + octets.slice(at + 1);
    case 3: {
      const lines = octets.split('\r\n');
      lines.splice(Math.floor(rng() * lines.length), 0, pick(lines));
      return lines.join('\r\n');
    }
    case 4: {
      const lines = octets.split('\r\n');
      lines.splice(Math.floor(rng() * lines.length), 1);
      return lines.join('\r\n');
    }
    case 5: {
      const lines = octets.split('\r\n');
      const [moved = ''] = lines.splice(Math.floor(rng() * lines.length), 1);
      lines.splice(Math.floor(rng() * (lines.length + 1)), 0, moved);
      return lines.join('\r\n');
    }
    case 6: {
      const other = pick(others);
      return octets.slice(0, at) + other.slice(Math.floor(rng() * other.length));
    }
    default:
      return octets.slice(0, at) + pick(INTERESTING) + octets.slice(at + 1);
  }
}

/** The lines of Node's that we forward unchanged. */
function forwardedLines(lines: readonly string[], method: string): string[] {
  const nominated = new Set<string>();
  for (const line of lines)
    if (/^connection:/i.test(line))
      for (const name of line.slice(11).split(',')) nominated.add(name.trim().toLowerCase());
  return lines
    .filter((line) => {
      const name = line.slice(0, line.indexOf(':'));
      const kind = requestField(asciiOctets(name), 0, name.length);
      return kind === FIELD.OTHER || (kind === FIELD.MAX_FORWARDS && method !== 'OPTIONS');
    })
    .map(normalLine)
    .filter((line) => !nominated.has(line.slice(0, line.indexOf(':')).toLowerCase()));
}

/** Where Node 20's parser refuses what RFC 9110 §5.5 allows: a tab around these two values. Corrected in later ones. */
const TAB_AROUND_FRAMING = /^(?:content-length|transfer-encoding):(?:[ ]*\t|[^\r\n]*\t\r\n)/im;

/** A sentence about how the two differ; `''` when they agree. */
function difference(
  ours: readonly ReadRequest[],
  node: { readonly requests: readonly NodeRequest[]; readonly error: string },
): string {
  for (const [i, mine] of ours.entries()) {
    const its = node.requests[i];
    if (!its) return `request ${i} is accepted by us only (${node.error})`;
    if (mine.method !== its.method) return `method ${mine.method} and ${its.method}`;
    const isAbsolute = !its.target.startsWith('/') && its.target !== '*';
    if (!isAbsolute && mine.target !== its.target) return `target ${mine.target} and ${its.target}`;
    if (
      isAbsolute &&
      !its.target.endsWith(mine.target) &&
      mine.target !== '/' &&
      mine.target !== '*' &&
      !its.target.endsWith(mine.target.slice(1))
    )
      return `absolute target ${its.target} became ${mine.target}`;
    if (mine.version !== its.version) return `version ${mine.version} and ${its.version}`;
    const lines = forwardedLines(its.lines, mine.method);
    const kept = mine.fields.filter((line) => lines.includes(line));
    if (kept.length !== mine.fields.length) return `fields ${JSON.stringify(mine.fields)} and ${JSON.stringify(lines)}`;
    const hasLength = its.lines.find((line) => /^content-length:/i.test(line));
    const isChunked = its.lines.some((line) => /^transfer-encoding:/i.test(line));
    const length = isChunked ? -1 : hasLength === undefined ? 0 : Number(hasLength.slice(15).trim());
    if (mine.bodyLength !== length) return `length ${mine.bodyLength} and ${length}`;
    // Node's server reads nothing behind a request that asks for an upgrade.
    if (its.lines.some((line) => /^upgrade:/i.test(line))) return '';
    if (mine.isComplete && !its.isComplete) return `request ${i} is complete for us only (${node.error})`;
    if (mine.isComplete && mine.body !== its.body)
      return `body ${JSON.stringify(mine.body)} and ${JSON.stringify(its.body)}`;
  }
  return '';
}

test(`what we accept Node accepts, and reads the same from it (seed ${SEED}, ${RUNS} runs)`, async () => {
  const rng = seededRng(SEED);
  const corpus = requestCases()
    .map(({ octets }) => octets)
    .filter((octets) => octets.length < MAX_OCTETS);
  let accepted = 0;
  let refused = 0;
  for (let run = 0; run < RUNS; run++) {
    let octets = corpus[run % corpus.length]!;
    if (run >= corpus.length)
      for (let times = Math.ceil(rng() * 3); times > 0; times--) octets = mutate(octets, corpus, rng);
    const reader = new RequestReader();
    reader.push(Buffer.from(octets, 'latin1'));
    if (reader.requests.length === 0) {
      refused++;
      continue;
    }
    accepted++;
    if (TAB_AROUND_FRAMING.test(octets)) continue;
    const differs = difference(reader.requests, await readByNode(octets));
    assert.equal(differs, '', `run ${run}: ${JSON.stringify(octets)}`);
  }
  assert.ok(accepted > RUNS / 10 && refused > RUNS / 10, `${accepted} accepted, ${refused} refused`);
});
