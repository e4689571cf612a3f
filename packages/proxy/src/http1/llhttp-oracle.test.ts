/**
 * Node's parser as an oracle: it accepts each message that ours accepts, with the same method, target, fields and framing. Cases are
 * mutated octet by octet and line by line. The seed is fixed and printed; `ORACLE_SEED` and `ORACLE_RUNS` change the run.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { seededRng } from '@rollcall/core/testing';
import { requestCases } from './case-corpus.fixture.ts';
import { requestDifference } from './fuzz/comparison.fixture.ts';
import { mutate, TAB_AROUND_FRAMING } from './fuzz/mutation.fixture.ts';
import type { NodeMessage, NodeReading } from './fuzz/node-parser.fixture.ts';
import { RequestReader } from './request-reader.fixture.ts';

const SEED = Number(process.env['ORACLE_SEED'] ?? 20_261_121);
const RUNS = Number(process.env['ORACLE_RUNS'] ?? 6_000);
const MAX_OCTETS = 6_000;

/** The result of Node's parser for the same octets. */
async function readByNode(octets: string): Promise<NodeReading> {
  const messages: NodeMessage[] = [];
  let error = '';
  const server = http.createServer(
    { maxHeaderSize: 1_048_576, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 },
    (request) => {
      const one: NodeMessage = {
        method: request.method ?? '',
        target: request.url ?? '',
        status: 0,
        reason: '',
        version: request.httpVersion,
        fields: request.rawHeaders,
        // A server of Node reads nothing behind a request for an upgrade.
        isUpgrade: request.headers.upgrade !== undefined,
        body: '',
        isComplete: false,
      };
      messages.push(one);
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
  return { messages, error };
}

test(`Node accepts what we accept, with the same result (seed ${SEED}, ${RUNS} runs)`, async () => {
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
    const differs = requestDifference(reader.requests, await readByNode(octets));
    assert.equal(differs, '', `run ${run}: ${JSON.stringify(octets)}`);
  }
  assert.ok(accepted > RUNS / 10 && refused > RUNS / 10, `${accepted} accepted, ${refused} refused`);
});
