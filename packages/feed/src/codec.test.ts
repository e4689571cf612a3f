import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isErrorCode } from '@rollcall/protocol';
import fc from 'fast-check';
import { decodeFeedToCoordinator, decodeFeedToWorker } from './codec.ts';

test('decoders never throw, and every refusal has a code of the table', () => {
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({
        type: fc.constantFrom('snapshot', 'changes', 'loads', 'counters', 'answer'),
        nodes: fc.anything(),
        totals: fc.anything(),
        changes: fc.anything(),
        loads: fc.anything(),
      })
      .map((value) => JSON.stringify(value) ?? ''),
  );
  const neverThrows = fc.property(anything, (text) => {
    for (const decode of [decodeFeedToWorker, decodeFeedToCoordinator]) {
      const decoded = decode(text);
      if (decoded.type === 'malformed') assert.ok(isErrorCode(decoded.code));
    }
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });
  // Fixed seeds, and a random one that is printed on failure.
  for (const seed of [1, 20_261_201, Math.floor(Math.random() * 2 ** 31)])
    fc.assert(neverThrows, { seed, numRuns: 300 });
});

test('sessions of a worker are decoded within bounds, and only as hashes', () => {
  const sessions = (seen: unknown, rest: object = {}): unknown =>
    decodeFeedToCoordinator(
      JSON.stringify({ type: 'sessions', nodes: [{ id: 'n1', level: 1, partMs: 10, partEndsInMs: 5, seen, ...rest }] }),
    );
  const good = { id: 'n1', level: 1, partMs: 10, partEndsInMs: 5, seen: [[2, 'AAAAAAAA-_090aZz']] };
  assert.deepEqual(sessions(good.seen), { type: 'sessions', nodes: [good] });
  for (const bad of [
    [[0, 'AAAA']],
    [[0, 'AAAAAAA=']],
    [[0, '']],
    [[-1, 'AAAAAAAA']],
    [[65, 'AAAAAAAA']],
    [['0', 'AAAAAAAA']],
    [[0]],
  ])
    assert.equal((sessions(bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
  assert.equal((sessions([[0, 'A'.repeat(8 * 16_385)]]) as { type: string }).type, 'malformed');
  assert.equal((sessions([], { level: 25 }) as { type: string }).type, 'malformed');
});

test('sessions seen once are decoded within the same bounds, in both directions', () => {
  const decoders = [decodeFeedToCoordinator, decodeFeedToWorker];
  const seen = [[2, 'AAAAAAAA-_090aZz']];
  for (const decode of decoders) {
    const sample = (once: unknown): unknown =>
      decode(
        JSON.stringify({ type: 'sessions', nodes: [{ id: 'n1', level: 1, partMs: 10, partEndsInMs: 5, seen, once }] }),
      );
    for (const once of [undefined, { level: 0, seen: [] }, { level: 3, seen }])
      assert.deepEqual(sample(once), {
        type: 'sessions',
        nodes: [{ id: 'n1', level: 1, partMs: 10, partEndsInMs: 5, seen, ...(once && { once }) }],
      });
    for (const once of [7, [], { level: 25, seen }, { level: -1, seen }, { level: 0, seen: [[0, 'AAAA']] }])
      assert.equal((sample(once) as { type: string }).type, 'malformed', JSON.stringify(once));
  }
});

test('sticky samples of a worker are decoded within bounds', () => {
  const sample = {
    balancer: 'shop',
    routed: 1,
    unrouted: 100,
    other: 0,
    strange: 0,
    opened: 0,
    renewed: 0,
    foreign: 0,
    foreignRouted: 0,
    returned: 2,
    refused: 3,
    fresh: 5,
    routeless: 6,
    routelessName: 'connect.sid',
    name: 'connect.sid',
    writes: [{ node: 'n1', route: 'r1' }],
  };
  const sticky = (rest: object): unknown =>
    decodeFeedToCoordinator(JSON.stringify({ type: 'sticky', revision: 4, balancers: [{ ...sample, ...rest }] }));
  assert.deepEqual(sticky({}), { type: 'sticky', revision: 4, balancers: [sample] });
  for (const bad of [
    { balancer: 'a b' },
    { routed: 101 },
    { refused: -1 },
    { routeless: 101 },
    { routelessName: 'a b' },
    { name: 'a b' },
    { foreignName: 'x'.repeat(65) },
    { writes: [{ node: 'n1', route: 'a b' }] },
    { writes: new Array(5).fill({ node: 'n1', route: 'r1' }) },
  ])
    assert.equal((sticky(bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
});

test('reports of ports and counts of failovers are decoded within bounds', () => {
  const ports = (item: unknown): unknown => decodeFeedToCoordinator(JSON.stringify({ type: 'ports', ports: [item] }));
  for (const port of ['unknown', 'answers', 'unresponsive', 'refused', 'given-up'])
    assert.deepEqual(ports(['n1', port]), { type: 'ports', ports: [['n1', port]] });
  for (const bad of [['n1'], ['n1', 'dead'], ['n.1', 'answers'], ['n1', 'answers', 1], 'n1', null])
    assert.equal((ports(bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
  const failovers = (row: object): unknown => {
    const message = decodeFeedToCoordinator(
      JSON.stringify({ type: 'counters', revision: 1, nodes: [], totals: {}, failovers: [row] }),
    );
    return message.type === 'counters' ? message.failovers : message.type;
  };
  const row = { balancer: 'shop', node: 'n1', cause: 'refused', count: 3 };
  assert.deepEqual(failovers(row), [row]);
  for (const bad of [{ cause: 'bored' }, { count: -1 }, { node: '' }, { balancer: 'a b' }])
    assert.equal(failovers({ ...row, ...bad }), 'malformed', JSON.stringify(bad));
});

test('loads and shares are decoded within bounds; elements may be missing at the end of a load', () => {
  const read = (type: 'loads' | 'shares', item: unknown): unknown =>
    decodeFeedToWorker(JSON.stringify({ type, [type]: [item] }));
  assert.deepEqual(read('loads', [7, 0.5, -1]), { type: 'loads', loads: [[7, 0.5, -1, -1, -1, -1]] });
  assert.deepEqual(read('loads', [7, 1, 2, 3, 4, 5.5]), { type: 'loads', loads: [[7, 1, 2, 3, 4, 5.5]] });
  for (const bad of [
    [7, 0.5],
    [7, 0.5, 1, 1, 1, 1, 1],
    [7.5, 0, 0],
    [7, 1.1, 0],
    [7, 0, -2],
    [7, 0, 0, 0, '3'],
    [7, 0, 0, 0, 1e16],
    [7, 0, 0, 0, 0, 86_400_001],
    [7, 0, 0, 0, 0, null],
  ])
    assert.equal((read('loads', bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
  assert.deepEqual(read('shares', ['shop', 0.25]), { type: 'shares', shares: [['shop', 0.25]] });
  for (const bad of [['shop'], ['a b', 0.5], ['shop', 0], ['shop', 1.5], ['shop', '1'], [1, 1], 'shop'])
    assert.equal((read('shares', bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
});

/** Decodes frames of both directions. */
const FEED_SIDES = { coordinator: decodeFeedToWorker, worker: decodeFeedToCoordinator } as const;

for (const [side, decode] of Object.entries(FEED_SIDES)) {
  const typeOf = (message: unknown): string => decode(JSON.stringify(message)).type;

  test(`a feed message of a ${side} of a newer release is skipped, a malformed one is not`, () => {
    for (const type of ['tidings', 'hello2', 'x'.repeat(300), ''])
      assert.equal(typeOf({ type, more: [1, { deep: true }] }), 'unknown', type);
    for (const type of [undefined, null, 7, ['hello'], {}]) assert.equal(typeOf({ type }), 'malformed', String(type));
  });

  test(`the hello of a ${side} without a feed version has version 1`, () => {
    const versionOf = (feedVersion: unknown): unknown => {
      const hello = decode(JSON.stringify({ type: 'hello', worker: 'w0', epoch: 'e', feedVersion, sort: 'new' }));
      return hello.type === 'hello' ? hello.feedVersion : hello.type;
    };
    assert.deepEqual([undefined, null, 1, 2, 0, 70].map(versionOf), [1, 1, 1, 2, 0, 70]);
    for (const bad of ['1', 1.5, -1, [1], true]) assert.equal(versionOf(bad), 'malformed', String(bad));
  });
}

test('changes and questions of a newer release are skipped, known ones in the same message are not', () => {
  const settled = { type: 'settled', isSettled: true, learningMs: 0 };
  const changes = (...list: unknown[]): unknown =>
    decodeFeedToWorker(JSON.stringify({ type: 'changes', revision: 3, changes: list }));
  assert.deepEqual(changes({ type: 'moved', id: 'a' }, settled, { type: 'rack', rack: {} }), {
    type: 'changes',
    revision: 3,
    changes: [settled],
  });
  assert.deepEqual(changes({ type: 'moved' }), { type: 'changes', revision: 3, changes: [] });
  for (const bad of [{}, { type: 5 }, 'settled', { type: 'gone' }])
    assert.equal((changes(settled, bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
  const asked = (question: unknown): string =>
    decodeFeedToWorker(JSON.stringify({ type: 'ask', id: 1, question })).type;
  assert.deepEqual([{ type: 'weather' }, { type: 'scoreboard' }, {}, { type: 1 }, undefined].map(asked), [
    'unknown',
    'ask',
    'malformed',
    'malformed',
    'malformed',
  ]);
});
