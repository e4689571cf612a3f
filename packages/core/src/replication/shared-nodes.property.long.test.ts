/** The model with enough seeds for rare orders; see the model. */
import { test } from 'node:test';
import { runSeeds } from '../testing/shared-nodes-model.ts';

test('the same with a thousand seeds', () => runSeeds(1_000));
