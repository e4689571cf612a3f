/** Properties of the session rule for any sequence of faults of nodes, links, workers and the coordinator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Fault, type FaultKind, type Sequence, World } from './world.fixture.ts';

/** Number of random sequences; by default a few with fixed seeds. */
const WANTED_RUNS = process.env['PROPERTY_RUNS'];
const RUNS = Number(WANTED_RUNS ?? 60);

const KINDS: readonly FaultKind[] = [
  'freeze',
  'kill',
  'container',
  'foreign',
  'link-frozen',
  'link-refused',
  'cut',
  'host',
  'listener',
  'drain',
  'stop',
  'worker-restart',
  'control-restart',
];

const fault: fc.Arbitrary<Fault> = fc.record({
  kind: fc.constantFrom(...KINDS),
  node: fc.nat({ max: 2 }),
  worker: fc.nat({ max: 1 }),
  atMs: fc.integer({ min: 0, max: 30_000 }),
  forMs: fc.constantFrom(500, 2_000, 8_000, 15_000, 40_000),
});

const sequence: fc.Arbitrary<Sequence> = fc.record({
  seed: fc.nat({ max: 1_000_000 }),
  kinds: fc.oneof(
    fc.array(fc.constantFrom('sdk' as const, 'wrap' as const, 'static' as const), { minLength: 1, maxLength: 3 }),
  ),
  workers: fc.integer({ min: 1, max: 2 }),
  perSecond: fc.constantFrom(2, 10, 20),
  faults: fc.array(fault, { minLength: 1, maxLength: 3 }),
});

void test('sessions move only by the table, to one node, and every node that answers is used', () => {
  let moved = 0;
  let answered = 0;
  fc.assert(
    fc.property(sequence, (one) => {
      const world = new World(one).run();
      moved += world.moved;
      answered += world.answered;
      assert.deepEqual(world.violations, []);
    }),
    { numRuns: RUNS, ...(WANTED_RUNS === undefined && { seed: 60 }) },
  );
  // A model without events would pass as well.
  assert.ok(answered > 100 * RUNS && moved > RUNS / 20, `${answered} answers, ${moved} moves`);
});
