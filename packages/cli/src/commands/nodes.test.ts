/** `rollcall nodes` and `rollcall node`: columns, selection, order and forms of the output. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeResource } from '@rollcall/protocol';
import { narrowColumns, nodeColumns } from '../nodes/node-columns.ts';
import { coloured, plain } from '../screen/paint.ts';
import { widthOf } from '../screen/text-width.ts';
import { commandWithAnswers } from '../testing/answers.ts';
import { startCluster } from '../testing/cluster.ts';
import { expectOutcomes } from '../testing/outcomes.ts';
import { screenLines } from './nodes.ts';

const NOW = 1_000_000_000;
const ENABLED = { status: 'enabled', atUnixMs: 0 };
const HEALTHY = {
  id: 'shop-3f2a91',
  balancer: 'shop',
  url: 'http://10.20.30.40:34103',
  process: { host: 'web1', pid: 123456 },
  weight: 1,
  status: 'enabled',
  liveness: 'up',
  isReady: true,
  load: 0.37,
  loadFactor: 63,
  sessions: 1234,
  sessionsSeenOnce: 567,
  sessionsFrom: 'workers',
  inFlight: 12,
  warnings: [],
  registeredAtUnixMs: 0,
  wanted: ENABLED,
  reported: ENABLED,
  observed: { recent: { requests: 40, errorRatio: 0 }, isEjected: false, parked: 0, ports: [], latencyMs: 3.2 },
};
const EJECTED = {
  ...HEALTHY,
  id: 'shop-b',
  observed: {
    ...HEALTHY.observed,
    recent: { requests: 40, errorRatio: 0.6 },
    isEjected: true,
    ejection: { reason: 'requests to it failed', sinceUnixMs: NOW - 12_000, count: 3 },
  },
};
const VERDICT = {
  line: '1 problem',
  problems: [{ kind: 'errors', level: 'harm', message: 'node shop-b fails', nodes: ['shop-b'] }],
};
const ANSWERS = {
  'GET /v1/nodes': { nodes: [EJECTED, HEALTHY] },
  'GET /v1/status': { nowUnixMs: NOW, verdict: VERDICT },
};

function lines(nodes: readonly object[], width: number, paint = plain): string[] {
  const outliers = { failing: new Set(['shop-b']), slow: new Set() } as never;
  const columns = narrowColumns(nodeColumns({ outliers, nowUnixMs: NOW, hasBars: true }));
  return screenLines(columns, nodes as unknown as NodeResource[], width, paint);
}

test('the list of a healthy cluster fits 80 columns', () => {
  const [head = '', row = ''] = lines([HEALTHY, { ...HEALTHY, id: 'shop-3f2a92' }], 80);
  assert.match(head, /^NODE +BALANCER +STATUS +LIVENESS +LOAD .*SESSIONS .*ERRORS/);
  assert.match(row, /^shop-3f2a91 +shop +enabled +up +37 % .*1234 .*0 %/);
  assert.ok(widthOf(head) <= 80 && widthOf(row) <= 80, `${widthOf(head)}`);
});

test('a note that does not fit has lines of its own, and no line is wider than the terminal', () => {
  const draining = {
    ...HEALTHY,
    status: 'draining',
    wanted: { status: 'draining', by: 'ann', reason: 'a kernel update that takes a whole evening, ticket 4711' },
  };
  const shown = lines([draining], 60);
  assert.match(shown[2] ?? '', /^ {2}- by ann: a kernel update/);
  assert.match(shown[3] ?? '', /^ {4}\S/);
  assert.ok(shown.every((line) => widthOf(line) <= 60));
});

test('a node that differs from the others is marked, with its ejection', () => {
  const shown = lines([EJECTED, HEALTHY], 200);
  assert.match(
    shown[1] ?? '',
    / up, ejected .* 60 % ! .* ejected 12s ago, 3 times in 10 minutes: requests to it failed$/,
  );
  assert.doesNotMatch(shown[2] ?? '', /!|ejected/);
  const [, row = ''] = lines([EJECTED, HEALTHY], 200, coloured);
  assert.match(row, /\u001b\[31m60 % !\u001b\[39m/);
});

test('the forms of the output have the same nodes', async (t) => {
  const csv = await commandWithAnswers(t, 'nodes -o csv', ANSWERS);
  const [head = '', healthy = '', ejected = ''] = csv.stdout.split('\n');
  assert.equal(head.split(',')[0], 'node');
  assert.equal(healthy.split(',').length, head.split(',').length);
  assert.match(ejected, /^shop-b,shop,.*"up, ejected",.*60 % !,.*"ejected 12s ago, 3 times/);
  const wide = await commandWithAnswers(t, 'nodes --wide', ANSWERS);
  assert.match(wide.stdout, /^NODE .* FACTOR +WEIGHT .* FROM .* NOTE\n/);
  assert.doesNotMatch(wide.stdout, /\u001b/, 'no colours without a terminal');
  assert.equal((await commandWithAnswers(t, 'nodes -o wide', ANSWERS)).stdout, wide.stdout);
  const json = await commandWithAnswers(t, 'nodes -o json', ANSWERS);
  assert.deepEqual(
    json.json<{ nodes: { id: string }[] }>().nodes.map(({ id }) => id),
    ['shop-3f2a91', 'shop-b'],
  );
});

test('nodes are sorted and selected', async (t) => {
  const idsOf = async (flags: string): Promise<string[]> => {
    const ran = await commandWithAnswers(t, `nodes --json ${flags}`, {
      ...ANSWERS,
      'GET /v1/nodes?group=eu-1': { nodes: [HEALTHY] },
    });
    return ran.json<{ nodes: { id: string }[] }>().nodes.map(({ id }) => id);
  };
  assert.deepEqual(await idsOf('--sort name'), ['shop-3f2a91', 'shop-b']);
  assert.deepEqual(await idsOf('--sort errors'), ['shop-b', 'shop-3f2a91']);
  assert.deepEqual(await idsOf('--status ejected'), ['shop-b']);
  assert.deepEqual(await idsOf('--status draining,missing'), []);
  assert.deepEqual(await idsOf('--group eu-1'), ['shop-3f2a91']);
});

test('invalid flags are exit code 2', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('n1');
  await expectOutcomes(cluster.run, [
    { words: 'nodes --sort size', code: 2, err: /'size' is invalid\. Allowed choices are name, load/ },
    { words: 'nodes --status well', code: 2, err: /^--status "well" is none of enabled, draining/ },
    { words: 'nodes --json -o csv', code: 2, err: '--json and -o csv exclude each other' },
    { words: 'nodes --group a/b', code: 2, err: '"a/b" is not a name' },
    { words: 'nodes --status draining', out: 'no nodes with status draining' },
    { words: 'nodes --group eu', out: 'no nodes in group eu' },
    { words: 'node a.b', code: 2, err: '"a.b" is not a name' },
    { words: 'node n9', code: 1, err: /n9.*rollcall nodes lists the nodes/ },
    { words: 'node shop', code: 1, err: /shop is a balancer: rollcall nodes --balancer shop/ },
  ]);
});

test('node describes the four facts, figures beside those of the other nodes, and events', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('n1', { sessions: 2, group: 'eu-1', weight: 2 });
  await cluster.add('n2');
  await cluster.run("drain n1 --reason 'kernel update' --for 30m");
  const { stdout, stderr } = await cluster.run('node n1');
  for (const line of [
    /^node n1 of balancer shop at http:\/\/127\.0\.0\.1:\d+, group eu-1, registered \w+ ago$/m,
    /^planned, for \w+: node n1 .* is draining/m,
    /^requested {3}draining by admin \(kernel update\), for \w+, reverts in (?:29m\d\ds|30m00s)$/m,
    /^reported {4}enabled$/m,
    /^observed {4}up/m,
    /^effective {3}draining$/m,
    /^drain {7}2 sessions/m,
    /^errors {6}no requests in the last 30 s; 0 failures/m,
    /^weight {6}2/m,
    /^contexts {4}\/ on \*; route n1$/m,
    /^settings {4}.*by default \(rollcall balancer shop\)$/m,
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d\d:\d\d {2}node n1 is up, was joining$/m,
  ])
    assert.match(stdout, line, stderr);
  const utc = await cluster.run('node n1 --utc');
  assert.match(utc.stdout, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z {2}node n1 is up/m);
  const read = (await cluster.run('node n1 --json')).json<Record<string, unknown>>();
  assert.deepEqual(Object.keys(read), ['node', 'explanation', 'events']);
});
