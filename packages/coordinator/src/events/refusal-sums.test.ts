import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RefusalNote, RefusalSums, SUM_MS } from './refusal-sums.ts';

function wrongToken(address: string): RefusalNote {
  return { what: 'agent upgrade', code: 'unauthenticated', message: 'the token is unknown', address };
}

function takeOver(node: string, address = '10.0.0.66'): RefusalNote {
  return { what: 'register', code: 'id-taken', message: `${node} is taken`, by: 'join', address, node };
}

test('the first refusal of a kind and client is written at once, further ones are counted per minute', () => {
  const sums = new RefusalSums(0);
  assert.equal(sums.isWrittenNow(wrongToken('10.0.0.7'), 0), true);
  for (let i = 1; i <= 84; i++) assert.equal(sums.isWrittenNow(wrongToken('10.0.0.7'), i * 100), false);
  assert.equal(sums.isWrittenNow(wrongToken('10.0.0.8'), 100), true);
  assert.deepEqual(sums.due(SUM_MS - 1), []);
  const [sum, ...more] = sums.due(SUM_MS);
  assert.deepEqual([sum?.count, sum?.address, sum?.message], [84, '10.0.0.7', 'the token is unknown']);
  assert.deepEqual(more, []);
  // The count continues without another entry.
  assert.equal(sums.isWrittenNow(wrongToken('10.0.0.7'), SUM_MS + 1), false);
  assert.equal(sums.due(2 * SUM_MS)[0]?.count, 1);
  // A minute without refusals ends the count.
  assert.deepEqual(sums.due(3 * SUM_MS), []);
  assert.equal(sums.isWrittenNow(wrongToken('10.0.0.7'), 3 * SUM_MS), true);
});

test('the remaining counts are written at the end', () => {
  const sums = new RefusalSums(0);
  for (let i = 0; i < 3; i++) sums.isWrittenNow(wrongToken('10.0.0.7'), 0);
  assert.deepEqual(
    sums.due(5_000, true).map(({ count, overMs }) => [count, overMs]),
    [[2, 5_000]],
  );
  assert.deepEqual(sums.due(5_000, true), []);
});

test('a refused take-over is written at once after any number of other refusals', () => {
  const sums = new RefusalSums(0);
  for (let i = 0; i < 100_000; i++)
    sums.isWrittenNow(wrongToken(`10.0.${i % 256}.${Math.floor(i / 256) % 256}`), i / 100);
  assert.equal(sums.isWrittenNow(takeOver('victim'), 1_001), true);
});

test('take-overs beyond the bound are counted by client, and their nodes are named', () => {
  const sums = new RefusalSums(0);
  let written = 0;
  for (let i = 0; i < 250; i++) written += Number(sums.isWrittenNow(takeOver(`n${i}`), 0));
  assert.equal(written, 200);
  const [sum] = sums.due(SUM_MS);
  assert.equal(sum?.count, 50);
  assert.deepEqual([sum?.nodes[0], sum?.nodes.length, sum?.address], ['n200', 50, '10.0.0.66']);
});

test('the count includes every refusal, and a minute has a bounded number of entries', () => {
  const sums = new RefusalSums(0);
  let written = 0;
  const refusals = 50_000;
  for (let i = 0; i < refusals; i++) {
    const note = i % 2 === 0 ? wrongToken(`a${i}`) : takeOver(`n${i}`, `a${i}`);
    written += Number(sums.isWrittenNow(note, 0));
  }
  const due = sums.due(SUM_MS);
  assert.equal(written + due.reduce((sum, { count }) => sum + count, 0), refusals);
  assert.ok(written + due.length <= 1_000, `${written} at once, ${due.length} sums`);
  const rest = due.filter(({ address }) => address === undefined);
  assert.deepEqual(rest.map(({ code }) => code).sort(), ['id-taken', 'unauthenticated']);
  assert.ok(rest.every(({ by }) => by === undefined));
});
