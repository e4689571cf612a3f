import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClusterProblem, MAX_PROBLEMS } from '@rollcall/protocol';
import { verdictOf } from './verdict.ts';

const FIGURES = { up: 3, requestsPerSecond: 55 };
const OUTAGE: ClusterProblem = {
  kind: 'unserved',
  level: 'outage',
  message: 'no node can serve /',
  effect: 'visitors get 503',
};
const HARM: ClusterProblem = { kind: 'missing', level: 'harm', message: 'node a is missing' };
const RISK: ClusterProblem = { kind: 'store', level: 'risk', message: 'the store is unreachable' };
const PLANNED: ClusterProblem = { kind: 'draining', level: 'planned', message: 'node b is draining' };

const LINES: readonly (readonly [problems: readonly ClusterProblem[], line: string, level: string | undefined])[] = [
  [[], 'All well: 3 nodes up, 55.0 requests/s', undefined],
  [[PLANNED], 'All well: 3 nodes up, 55.0 requests/s; planned: node b is draining', undefined],
  [[PLANNED, PLANNED], 'All well: 3 nodes up, 55.0 requests/s; planned: node b is draining, and 1 more', undefined],
  [[PLANNED, RISK], '1 problem: the store is unreachable', 'risk'],
  [[RISK, HARM], '2 problems, the gravest: node a is missing', 'harm'],
  [[RISK, HARM, OUTAGE], '3 problems, the gravest: no node can serve /; visitors get 503', 'outage'],
];

for (const [problems, line, level] of LINES)
  test(`the line is ${JSON.stringify(line)}`, () => {
    const verdict = verdictOf(problems, FIGURES);
    assert.equal(verdict.line, line);
    assert.equal(verdict.level, level);
  });

test('one node is named in the singular', () => {
  assert.match(verdictOf([], { up: 1, requestsPerSecond: 0.04 }).line, /^All well: 1 node up, 0\.0 requests\/s$/);
});

test('problems are in order of level, kind and balancer, and their number has a bound', () => {
  const errors: ClusterProblem = { kind: 'errors', level: 'harm', message: 'errors' };
  const of = (balancer: string): ClusterProblem => ({
    ...HARM,
    balancer: balancer as NonNullable<ClusterProblem['balancer']>,
  });
  const { problems } = verdictOf([RISK, of('b'), of('a'), errors, OUTAGE], FIGURES);
  assert.deepEqual(problems, [OUTAGE, errors, of('a'), of('b'), RISK]);
  const many = verdictOf(
    Array.from({ length: MAX_PROBLEMS + 5 }, () => RISK),
    FIGURES,
  );
  assert.equal(many.problems.length, MAX_PROBLEMS);
  assert.equal(many.more, 5);
  assert.match(many.line, /^105 problems/);
});
