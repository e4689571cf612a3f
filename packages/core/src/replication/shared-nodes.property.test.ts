/** Several coordinators, nodes and a store between them; see the model. */
import { test } from 'node:test';
import { runSeeds } from '../testing/shared-nodes-model.ts';

test('after healing all coordinators have one process of each node, which runs, and none that has left or was removed', () =>
  runSeeds(300));
