import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planCpus } from './cpu-plan.ts';

test('with three CPUs or more each part has its own CPUs', () => {
  assert.deepEqual(planCpus([0, 1, 2, 3], 1), { contender: [0], nodes: [1], load: [[2], [3]] });
  assert.deepEqual(planCpus([4, 6, 7], 1), { contender: [4], nodes: [6], load: [[7]] });
  assert.deepEqual(planCpus([0, 1, 2, 3], 2), { contender: [0, 1], nodes: [2], load: [[3]] });
});

test('with fewer CPUs nothing is pinned', () => {
  for (const cpus of [[0, 1], [0]]) assert.deepEqual(planCpus(cpus, 1), { contender: [], nodes: [], load: [[], []] });
  assert.deepEqual(planCpus([0, 1, 2, 3], 3).contender, []);
});
