import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verdictOf } from './verdict.ts';

test('a difference counts if every round shows it', () => {
  assert.equal(verdictOf({ median: 0.9, min: 0.85, max: 0.95 }, 6), 'faster');
  assert.equal(verdictOf({ median: 1.1, min: 1.02, max: 1.2 }, 6), 'slower');
});

test('one round with the opposite sign makes it noise', () => {
  assert.equal(verdictOf({ median: 0.9, min: 0.85, max: 1.01 }, 6), 'same');
  assert.equal(verdictOf({ median: 1.1, min: 0.99, max: 1.2 }, 6), 'same');
});

test('less than two percent is not a difference', () => {
  assert.equal(verdictOf({ median: 0.985, min: 0.96, max: 0.999 }, 6), 'same');
});

test('too few rounds give no verdict', () => {
  assert.equal(verdictOf({ median: 0.5, min: 0.5, max: 0.5 }, 5), 'unclear');
});
