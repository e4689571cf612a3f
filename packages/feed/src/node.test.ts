/** The fields of a node, each one from the table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import { decodeFeedToWorker, encodeFeed } from './codec.ts';
import type { Accepted } from './field.ts';
import { isSamePlacement, newFeedNode } from './node.ts';
import { contextsOf, type FeedNode, type FeedNodeValues, feedContexts, NODE_FIELDS } from './node-fields.ts';

type Name = keyof typeof NODE_FIELDS;

interface Samples {
  readonly good: readonly unknown[];
  readonly bad: readonly unknown[];
}

const NAMES = Object.keys(NODE_FIELDS) as Name[];
/** A route may have a dot, where other software has chosen it. */
const WRONG_ROUTES = ['', 'a b', 'a;b', 'a"b', 'x'.repeat(65), 7];
const WRONG_NAMES = ['', 'a b', 'a.b', 'x'.repeat(65), 7];
/** Samples of the fields that the table does not describe as data. */
const SAMPLES: Partial<Readonly<Record<Name, Samples>>> = {
  id: { good: ['n1', 'x'.repeat(64)], bad: WRONG_NAMES },
  balancer: { good: ['shop'], bad: WRONG_NAMES },
  url: { good: ['http://10.0.0.5:3000', 'https://[::1]:1'], bad: ['', 'http://a', 'ftp://a:1', 7] },
  route: { good: ['r1', 'node.1:8080'], bad: WRONG_ROUTES },
  hosts: { good: [[], ['*'], ['a.example', '*.b']], bad: ['*', [''], [7], new Array(17).fill('*')] },
  contexts: {
    good: [[], [{ path: '/', status: 'stopped' }]],
    bad: ['/', ['/'], [{ path: '/' }], [{ path: 'a', status: 'enabled' }], [{ path: '/', status: 'x' }]],
  },
  moreContexts: {
    good: [[], [{ path: '/', status: 'stopped' }], [{ path: '/', status: 'enabled', hosts: ['a.example', '*'] }]],
    bad: [['/'], [{ path: '/', status: 'enabled', hosts: 'a' }], new Array(385).fill({ path: '/', status: 'enabled' })],
  },
  group: { good: ['eu-1'], bad: WRONG_NAMES },
  reach: {
    good: [
      { isLocal: true, isAnywhere: false },
      { from: '10.0.0.1', isLocal: false, isAnywhere: true },
    ],
    bad: ['local', [], { isLocal: 1 }, { from: 7 }, { from: 'x'.repeat(65) }],
  },
  redirectTo: { good: ['n2'], bad: WRONG_NAMES },
};

const REQUIRED: FeedNodeValues = {
  id: parseNodeId('n1')!,
  balancer: parseBalancerName('shop')!,
  url: parseNodeUrl('http://10.0.0.5:3000')!,
  route: parseRoute('n1')!,
  hosts: [parseHostPattern('*')!],
  contexts: [{ path: parseContextPath('/')!, status: 'enabled' }],
  liveness: 'up',
};

function samplesOf(name: Name): Samples {
  const { accepted }: { accepted: Accepted } = NODE_FIELDS[name];
  switch (accepted.type) {
    case 'boolean':
      return { good: [true, false], bad: [0, 1, 'true', [], {}] };
    case 'text':
      return { good: ['', 'x'.repeat(accepted.maxLength)], bad: ['x'.repeat(accepted.maxLength + 1), 7, 'a\nb', true] };
    case 'one-of':
      return { good: accepted.values, bad: ['', 'other', 7, [accepted.values[0]]] };
    case 'number':
    case 'integer': {
      const { min, max } = accepted.range;
      const fraction = min + 0.5;
      const [isGood, isBad] = accepted.type === 'number' ? [[fraction], []] : [[], [fraction]];
      return { good: [min, max, ...isGood], bad: [min - 1, max * 2, String(min), true, [min], ...isBad] };
    }
    case 'other':
      return SAMPLES[name] ?? assert.fail(`${name} has no samples`);
  }
}

function decoded(values: object): FeedNode | string {
  const message = decodeFeedToWorker(
    JSON.stringify({ type: 'changes', revision: 1, changes: [{ type: 'node', node: values }] }),
  );
  const change = message.type === 'changes' ? message.changes[0] : undefined;
  return change?.type === 'node' ? change.node : message.type;
}

for (const name of NAMES) {
  const { presence, absent, isPlacement } = NODE_FIELDS[name];

  test(`${name} is unchanged after encoding and decoding, at its bounds as well`, () => {
    const { good } = samplesOf(name);
    assert.ok(good.length > 0);
    for (const value of good) {
      const node = newFeedNode({ ...REQUIRED, [name]: value });
      assert.deepEqual(node[name], value);
      const text = encodeFeed({ type: 'changes', revision: 1, changes: [{ type: 'node', node }] });
      assert.deepEqual(decodeFeedToWorker(text), { type: 'changes', revision: 1, changes: [{ type: 'node', node }] });
    }
  });

  test(`${name} out of its bounds or of another type is refused`, () => {
    const { bad } = samplesOf(name);
    assert.ok(bad.length > 0);
    for (const value of bad)
      assert.equal(decoded({ ...REQUIRED, [name]: value }), 'malformed', JSON.stringify(value)?.slice(0, 80));
  });

  test(`${name} may be absent only if it has a default or is optional`, () => {
    for (const nothing of [undefined, null]) {
      const node = decoded({ ...REQUIRED, [name]: nothing });
      if (presence === 'required') assert.equal(node, 'malformed');
      else assert.deepEqual(typeof node === 'object' && node[name], absent);
    }
    if (presence !== 'required') assert.deepEqual(newFeedNode({ ...REQUIRED, [name]: undefined })[name], absent);
  });

  test(`another ${name} ${isPlacement ? 'changes' : 'does not change'} the placement of the node`, () => {
    const nodes = samplesOf(name).good.map((value) => newFeedNode({ ...REQUIRED, [name]: value }));
    if (presence !== 'required') nodes.push(newFeedNode(REQUIRED));
    for (const [i, one] of nodes.entries())
      for (const [k, other] of nodes.entries()) {
        const isSameValue = i === k || JSON.stringify(one) === JSON.stringify(other);
        assert.equal(isSamePlacement(one, structuredClone(other)), isSameValue || !isPlacement);
      }
  });
}

test('all nodes have the same fields in the same order, decoded or not', () => {
  const everything = Object.fromEntries(NAMES.map((name) => [name, samplesOf(name).good.at(-1)]));
  const [full, least] = [decoded(everything), decoded(REQUIRED)];
  for (const node of [full, least, newFeedNode(REQUIRED)]) assert.deepEqual(Object.keys(node), NAMES);
  assert.deepEqual(least, newFeedNode(REQUIRED));
});

test('fields that are not in the table are ignored', () => {
  assert.deepEqual(decoded({ ...REQUIRED, later: 1 }), newFeedNode(REQUIRED));
});

test('a worker of an earlier release gets the first 16 contexts of the hosts of the node, and none that has others', () => {
  const contexts = Array.from({ length: 40 }, (_, i) => ({
    path: parseContextPath(`/${i}`)!,
    status: 'enabled' as const,
    ...(i % 2 === 1 && { hosts: [parseHostPattern('a.example')!] }),
  }));
  const node = newFeedNode({ ...REQUIRED, ...feedContexts(contexts) });
  assert.deepEqual(node.contexts, contexts.filter(({ hosts }) => hosts === undefined).slice(0, 16));
  assert.deepEqual(new Set(contextsOf(node)), new Set(contexts));
  assert.deepEqual(feedContexts(contexts.slice(0, 1)), { contexts: contexts.slice(0, 1), moreContexts: undefined });
});
