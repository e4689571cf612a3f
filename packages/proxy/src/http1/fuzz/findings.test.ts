/** Findings and corpus of the fuzzer, read again: whole, in pieces, and octet by octet. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadCorpus } from './corpus.fixture.ts';
import { nodeParser } from './node-parser.fixture.ts';
import { read, TARGETS, type TargetName } from './target.fixture.ts';

/** Inputs with an intended difference between our parsers and Node's, see ENGINE.md, or with a former difference. */
const FINDINGS: readonly (readonly [TargetName, string])[] = [
  ['response', 'HTTP/1.1 190\r\nContent-Length:1\r\n\r\n'],
  ['head-response', 'HTTP/1.0 102\r\n\r\nHTTP/1.1 102\r\n\r\n'],
  ['head-response', 'HTTP/1.1 200 \r\nSEt-Cookie:\r\n\r\n'],
  ['request', 'GET / HTTP/1.0\r\nContent-Length:5\t \r\n\r\n'],
  [
    'request',
    'POST / HTTP/1.1\r\nHost:e\r\nContent-Length:2\r\n\r\nh\nGET / HTTP/1.0\r\nConnection:keep-alive\t\r\n\r\nGET / HTTP/1.1\r\nHost:e\r\nT:\r\n\r\n',
  ],
  [
    'request',
    'POST / HTTP/1.1\r\nHost:e\r\nTransfer-Encoding:chunked\r\n\r\n5\r\nhello\r\n0\r\nConnection:close\r\n\r\nGET / HTTP/1.1\r\nHost:t\r\ng:\r\n\r\n',
  ],
];

const skip = nodeParser === undefined ? 'the parser of this Node cannot be reached' : false;

function check(target: TargetName, octets: string): void {
  const everywhere = Array.from({ length: octets.length + 80 }, (_, i) => i + 1);
  for (const cuts of [[], everywhere, everywhere.filter((at) => at % 7 === 0)])
    assert.equal(read(target, octets, cuts, nodeParser!).difference, '', `${target} ${JSON.stringify(octets)}`);
}

test('no finding of the fuzzer returns', { skip }, () => {
  for (const [target, octets] of FINDINGS) check(target, octets);
});

for (const target of TARGETS)
  test(`the corpus of ${target} has the same result as with Node, in any pieces`, { skip }, () => {
    const corpus = loadCorpus(target);
    assert.ok(corpus.length > 20, `${corpus.length} inputs`);
    for (const octets of corpus) check(target, octets);
  });
