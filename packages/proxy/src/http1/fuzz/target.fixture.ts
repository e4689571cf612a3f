/** A target of the fuzzer: takes octets, returns a signature of their result and a difference. */
import { RequestReader } from '../request-reader.fixture.ts';
import { requestDifference, responseDifference } from './comparison.fixture.ts';
import { TAB_AROUND_FRAMING } from './mutation.fixture.ts';
import type { NodeParser } from './node-parser.fixture.ts';
import { ResponseReader } from './response-reader.fixture.ts';

export const TARGETS = ['request', 'chunked', 'response', 'head-response'] as const;
export type TargetName = (typeof TARGETS)[number];

/** The result of one input. */
export interface Reading {
  /** Inputs of one signature used the same code in our parser and Node's, as far as the result shows it. */
  readonly signature: string;
  /** A sentence; `''` without a difference. */
  readonly difference: string;
}

/** RFC 9112 §5.1 requires a proxy to remove this white space; Node refuses it. */
const SPACE_BEFORE_COLON = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]+:/m;

const CHUNKED_HEAD = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

/** The octets that a target gets of an input: chunks get a constant head. */
function whole(target: TargetName, octets: string): string {
  return target === 'chunked' ? CHUNKED_HEAD + octets : octets;
}

/** Reads `octets` with our parsers, in pieces cut at `cuts`, and with Node's. */
export function read(target: TargetName, input: string, cuts: readonly number[], node: NodeParser): Reading {
  const octets = whole(target, input);
  const isResponse = target === 'response' || target === 'head-response';
  return isResponse
    ? readResponse(octets, cuts, node, target === 'response' ? 'GET' : 'HEAD')
    : readRequest(octets, cuts, node);
}

function readRequest(octets: string, cuts: readonly number[], node: NodeParser): Reading {
  const one = (pieces: readonly Buffer[]): RequestReader => {
    const reader = new RequestReader();
    for (const piece of pieces) reader.push(piece);
    return reader;
  };
  const reader = one(cut(octets, []));
  const { requests } = reader;
  const its = node(octets, 'request', '');
  const pieced = one(cut(octets, cuts));
  const shapes = requests.map(
    ({ version, bodyLength, isComplete, target }) =>
      `${version} ${bodyLength < 0 ? 'chunks' : bodyLength > 0 ? 'length' : 'none'} ${isComplete} ${target[0]}`,
  );
  const signature = `${shapes.slice(0, 2).join(', ')} | ${reader.refusal} ${reader.why.replace(/[0-9]+/g, 'N')} | ${its.error}`;
  const isExcused = TAB_AROUND_FRAMING.test(octets);
  return {
    signature,
    difference:
      segmentDifference(
        { requests, isRefused: reader.refusal > 0 },
        { requests: pieced.requests, isRefused: pieced.refusal > 0 },
      ) || (isExcused ? '' : requestDifference(requests, its)),
  };
}

function readResponse(octets: string, cuts: readonly number[], node: NodeParser, method: string): Reading {
  const one = (pieces: readonly Buffer[]): ResponseReader => {
    const reader = new ResponseReader(method);
    for (const piece of pieces) reader.push(piece);
    reader.end();
    return reader;
  };
  const reader = one(cut(octets, []));
  const { responses, why } = reader;
  const its = node(octets, 'response', method);
  const pieced = one(cut(octets, cuts));
  const shapes = responses.map(
    ({ status, version, framing, isComplete }) => `${kindOf(status)} ${version} ${framing} ${isComplete}`,
  );
  const isExcused = TAB_AROUND_FRAMING.test(octets) || SPACE_BEFORE_COLON.test(octets);
  return {
    signature: `${shapes.slice(0, 2).join(', ')} | ${why.replace(/[0-9]+/g, 'N')} | ${its.error}`,
    difference:
      segmentDifference(
        { responses, isBroken: why !== '' },
        { responses: pieced.responses, isBroken: pieced.why !== '' },
      ) || (isExcused ? '' : responseDifference(responses, its)),
  };
}

/** A status, reduced to its effect on the end of a message. */
function kindOf(status: number): string {
  return status < 200 ? (status === 101 ? '101' : '1xx') : status === 204 || status === 304 ? String(status) : 'other';
}

/** Octets have the same result in any segments. */
function segmentDifference(wholeReading: object, piecedReading: object): string {
  const [whole, pieced] = [JSON.stringify(wholeReading), JSON.stringify(piecedReading)];
  return whole === pieced ? '' : `whole ${whole}, in pieces ${pieced}`;
}

function cut(octets: string, cuts: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const at of [...cuts, octets.length]) {
    if (at <= from || at > octets.length) continue;
    pieces.push(Buffer.from(octets.slice(from, at), 'latin1'));
    from = at;
  }
  return pieces;
}
