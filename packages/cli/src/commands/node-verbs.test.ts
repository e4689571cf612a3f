/** Commands that change nodes, against a coordinator in this process. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeResource, NodesResource, WriteResult } from '@rollcall/protocol';
import { type Cluster, startCluster } from '../testing/cluster.ts';
import { expectOutcomes } from '../testing/outcomes.ts';

const DARK = 'no node would be eligible for /wiki of balancer wiki: new visitors would get 503';

/** `n1` and `n2` of `shop`; `n2` has three sessions; `m1` is the only node of `wiki`, in group `eu`. */
async function shopAndWiki(t: Parameters<typeof startCluster>[0]): Promise<Cluster> {
  const cluster = await startCluster(t);
  await cluster.add('n1');
  await cluster.add('n2', { sessions: 3 });
  await cluster.add('m1', { balancer: 'wiki', contexts: ['/wiki'], group: 'eu' });
  return cluster;
}

async function nodeOf(cluster: Cluster, id: string): Promise<NodeResource | undefined> {
  const { nodes } = (await cluster.run('nodes --all --json')).json<NodesResource>();
  return nodes.find((node) => node.id === id);
}

test('drain, enable and stop print the new status, and the node has it', async (t) => {
  const cluster = await shopAndWiki(t);
  for (const [words, out, status] of [
    ['drain n1', 'node n1 is now draining: 0 sessions, 0 in flight', 'draining'],
    ['enable n1', 'node n1 is now enabled', 'enabled'],
    ['enable n1 --dry-run', 'node n1 would be enabled', 'enabled'],
    [
      'drain n1 --dry-run',
      'node n1 would be draining: 0 sessions, 0 in flight; too few requests come to estimate the load of the other nodes',
      'enabled',
    ],
    [
      'stop n1 --dry-run',
      'node n1 would be stopped: 0 sessions, 0 in flight; too few requests come to estimate the load of the other nodes',
      'enabled',
    ],
    ['stop n1', 'node n1 is now stopped: 0 sessions, 0 in flight', 'stopped'],
    ['enable n1 --reason back', 'node n1 is now enabled', 'enabled'],
  ] as const) {
    await expectOutcomes(cluster.run, [{ words, out }]);
    assert.equal((await nodeOf(cluster, 'n1'))?.status, status, words);
  }
});

test('a verb on a node that was removed names the removal, and what it needs', async (t) => {
  const cluster = await shopAndWiki(t);
  await cluster.run('remove n1 --yes');
  const absence = 'node n1 was removed by an operator';
  const start = ': start its program again, or add its address again; it is enabled when it registers again';
  for (const [words, rest] of [
    ['enable n1', start],
    ['drain n1', ': nothing drains; if it registers again, it is draining'],
    ['drain n1 --dry-run', ': nothing drains; if it registers again, it would be draining'],
    ['stop n1', ': nothing stops; if it registers again, it is stopped'],
    ['enable n1', start],
  ] as const)
    await expectOutcomes(cluster.run, [{ words, out: `${absence}${rest}` }]);
  await cluster.run('drain n1');
  await cluster.add('n1');
  assert.equal((await nodeOf(cluster, 'n1'))?.status, 'draining');
});

test('a command on all nodes of a balancer or a group changes these nodes only', async (t) => {
  const cluster = await shopAndWiki(t);
  const statuses = async () =>
    (await cluster.run('nodes --json')).json<NodesResource>().nodes.map(({ id, status }) => `${id} ${status}`);
  const result = (await cluster.run('drain --balancer shop --yes --json')).json<WriteResult>();
  assert.deepEqual(
    result.nodes.map(({ id, status }) => `${id} ${status}`),
    ['n1 draining', 'n2 draining'],
  );
  assert.deepEqual(await statuses(), ['n1 draining', 'n2 draining', 'm1 enabled']);
  assert.equal((await cluster.run('stop --group eu --yes')).code, 0);
  assert.deepEqual(await statuses(), ['n1 draining', 'n2 draining', 'm1 stopped']);
  assert.equal((await cluster.run('enable --balancer shop')).code, 0);
  assert.deepEqual(await statuses(), ['n1 enabled', 'n2 enabled', 'm1 stopped']);
});

test('without a terminal a change that ends sessions or leaves no eligible node needs --yes', async (t) => {
  const cluster = await shopAndWiki(t);
  const sessions = '3 sessions on n2 will fail over or be lost: add --yes to confirm';
  await expectOutcomes(cluster.run, [
    { words: 'stop n2', code: 2, err: sessions },
    { words: 'remove n2', code: 2, err: sessions },
    { words: 'drain m1', code: 2, err: `${DARK}: add --yes to confirm` },
    { words: 'remove m1', code: 2, err: `${DARK}: add --yes to confirm` },
    { words: 'stop --group eu', code: 2, err: `${DARK}: add --yes to confirm` },
    { words: 'stop --balancer shop', code: 2, err: /^3 sessions on n1, n2 will be lost; no node would be eligible/ },
  ]);
  for (const id of ['n1', 'n2', 'm1']) assert.equal((await nodeOf(cluster, id))?.status, 'enabled', id);
  await expectOutcomes(cluster.run, [
    { words: 'drain n2', out: /^node n2 is now draining: 3 sessions/ },
    { words: 'stop n2 --yes', out: /^node n2 is now stopped: 3 sessions/ },
    { words: 'remove m1 --yes', out: /^node m1 (?:is|was) removed/ },
  ]);
});

for (const [input, isConfirmed] of [
  ['y\n', true],
  ['YES\n', true],
  ['\n', false],
  ['n\n', false],
  ['yesterday\n', false],
] as const)
  test(`on a terminal ${JSON.stringify(input)} ${isConfirmed ? 'confirms' : 'refuses'} the question`, async (t) => {
    const cluster = await shopAndWiki(t);
    const { code, stdout, stderr } = await cluster.run('stop n2', { input, isTerminal: true });
    assert.match(stderr, /3 sessions on n2 will fail over or be lost\. Stop\? \[y\/N\] /);
    assert.equal(code, isConfirmed ? 0 : 1, stderr);
    if (isConfirmed) assert.match(stdout, /^node n2 is now stopped/);
    else assert.match(stderr, /rollcall: nothing was changed\n$/);
    assert.equal((await nodeOf(cluster, 'n2'))?.status, isConfirmed ? 'stopped' : 'enabled');
  });

test('the error of a node, balancer or group that does not exist names the next step', async (t) => {
  const cluster = await shopAndWiki(t);
  const list = 'rollcall nodes lists the nodes and their balancers';
  for (const verb of ['drain', 'enable', 'stop'])
    await expectOutcomes(cluster.run, [
      { words: `${verb} m2`, code: 1, err: new RegExp(`^there is no node m2; did you mean m1, .*${list}\n$`) },
      {
        words: `${verb} shop`,
        code: 1,
        err: new RegExp(`^there is no node shop.*; shop is a balancer: rollcall ${verb} --balancer shop\n$`),
      },
      { words: `${verb} --balancer nosuch`, code: 1, err: `there is no balancer nosuch; ${list}` },
      { words: `${verb} --group nosuch`, code: 1, err: `there is no group nosuch; ${list}` },
    ]);
  await expectOutcomes(cluster.run, [
    { words: 'remove m2', code: 1, err: /^there is no node m2; did you mean m1/ },
    { words: 'weight m2 2', code: 1, err: /^there is no node m2; did you mean m1/ },
    { words: 'redirect m2 m1', code: 1, err: /^there is no node m2; did you mean m1/ },
  ]);
});

test('commands on nodes refuse wrong words with exit 2 and change nothing', async (t) => {
  const cluster = await shopAndWiki(t);
  const { revision } = (await cluster.run('status --json')).json<{ revision: number }>();
  const usage: (readonly [string, string | RegExp])[] = [
    ['remove a.b', '"a.b" is not a name'],
    ['remove', /^missing required argument 'node'; see rollcall remove --help\n$/],
    ['weight n1', 'write rollcall weight n1 N with a number from 0.001 to 100, or --off'],
    ['weight n1 2 --off', 'write rollcall weight n1 N with a number from 0.001 to 100, or --off'],
    ['weight n1 0', /^weight "0": write a number from 0.001 to 100\n$/],
    ['weight n1 101', /^weight "101": write a number from 0.001 to 100\n$/],
    ['weight n1 half', /^weight "half": write a number from 0.001 to 100\n$/],
    ['weight a.b 1', '"a.b" is not a name'],
    ['redirect n1', 'write rollcall redirect n1 TO with the id of a node, or --off'],
    ['redirect n1 n2 --off', 'write rollcall redirect n1 TO with the id of a node, or --off'],
    ['redirect n1 a.b', 'write rollcall redirect n1 TO with the id of a node, or --off'],
  ];
  for (const verb of ['drain', 'enable', 'stop'])
    usage.push(
      [verb, `${verb} needs one of: a node id, --balancer NAME, --group NAME, --where KEY=VALUE`],
      [`${verb} n1 --group eu`, `${verb} needs one of: a node id, --balancer NAME, --group NAME, --where KEY=VALUE`],
      [
        `${verb} --balancer shop --group eu`,
        `${verb} needs one of: a node id, --balancer NAME, --group NAME, --where KEY=VALUE`,
      ],
      [`${verb} a.b`, '"a.b" is not a name: letters, digits, _ and -, at most 64'],
      [`${verb} --balancer a.b`, '"a.b" is not a name: letters, digits, _ and -, at most 64'],
      [`${verb} n1 --nosuch`, `unknown option '--nosuch'; see rollcall ${verb} --help`],
    );
  for (const verb of ['drain', 'stop'])
    usage.push(
      [`${verb} n1 --for 5`, /^--for "5" is not a duration with a unit/],
      [`${verb} n1 --for 32d`, /^--for "32d" is too long: .* to 31d\n$/],
    );
  usage.push(
    ['enable n1 --for 5m', "unknown option '--for'; see rollcall enable --help"],
    ['drain n1 --deadline soon', /^--deadline "soon" is not a duration/],
    ['drain n1 --wait --timeout 1', /^--timeout "1" is not a duration/],
    ...['drain n1', 'stop n1', 'scale shop=2'].map(
      (words) => [`${words} --timeout 3s`, '--timeout needs --wait, whose time it limits'] as const,
    ),
  );
  await expectOutcomes(
    cluster.run,
    usage.map(([words, err]) => ({ words, code: 2, err })),
  );
  assert.equal((await cluster.run('status --json')).json<{ revision: number }>().revision, revision);
});

test('weight and redirect set and remove an override', async (t) => {
  const cluster = await shopAndWiki(t);
  for (const [words, out, weight, redirectTo] of [
    ['weight n1 2 --dry-run', 'would change node n1: {"weight":2}', 1, undefined],
    ['weight n1 2', 'node n1: weight 2', 2, undefined],
    ['weight n1 0.5 --reason small', 'node n1: weight 0.5', 0.5, undefined],
    ['redirect n1 n2', 'node n1: redirectTo n2', 0.5, 'n2'],
    ['weight n1 --off', 'node n1: weight as registered', 1, 'n2'],
    ['redirect n1 --off', 'node n1: redirectTo as registered', 1, undefined],
  ] as const) {
    await expectOutcomes(cluster.run, [{ words, out }]);
    const node = await nodeOf(cluster, 'n1');
    assert.deepEqual([node?.weight, node?.redirectTo], [weight, redirectTo], words);
  }
  await expectOutcomes(cluster.run, [
    { words: 'redirect n1 m1', code: 1, err: 'node m1 is not in balancer shop' },
    { words: 'redirect n1 n1', code: 1, err: /\S/ },
  ]);
});

test('writes with --json print the result of the admin API', async (t) => {
  const cluster = await shopAndWiki(t);
  for (const words of ['drain n1', 'enable n1', 'stop n1 --yes', 'weight n1 2', 'redirect n1 n2', 'remove n1 --yes']) {
    const { code, stdout, stderr, json } = await cluster.run(`${words} --json`);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trim().split('\n').length, 1);
    const { message, nodes, isChanged } = json<WriteResult>();
    assert.match(message, /^node n1/);
    assert.deepEqual(
      nodes.map(({ id }) => id),
      ['n1'],
    );
    assert.equal(isChanged, true, words);
  }
});

test('remove deletes the node once', async (t) => {
  const cluster = await shopAndWiki(t);
  await expectOutcomes(cluster.run, [
    {
      words: 'remove n1 --dry-run',
      out: 'would remove node n1: 0 sessions, 0 in flight; too few requests come to estimate the load of the other nodes',
    },
    { words: 'remove n1', out: /^node n1 (?:is|was) removed/ },
    { words: 'nodes', out: /^(?!.*\nn1 )/s },
  ]);
});

test('drain and stop with --wait fail if no node is present', async (t) => {
  const cluster = await shopAndWiki(t);
  for (const id of ['n1', 'n2']) await cluster.run(`remove ${id} --yes`);
  const rest = 'rollcall: there is nothing to wait for: no node that could';
  for (const verb of ['drain', 'stop'])
    await expectOutcomes(cluster.run, [
      {
        words: `${verb} --balancer shop --yes --wait`,
        code: 1,
        err: `no node of balancer shop is present\n${rest} ${verb} is present`,
      },
      {
        words: `${verb} n1 --yes --wait`,
        code: 1,
        err: new RegExp(`^node n1 was removed.*\n${rest} ${verb} is present\n$`),
      },
    ]);
});

test('drain --wait with a time limit ends with exit 4 and the drain continues', async (t) => {
  const cluster = await shopAndWiki(t);
  await expectOutcomes(cluster.run, [
    {
      words: 'drain n2 --wait --timeout 1ms',
      code: 4,
      err: /^node n2 is now draining.*\nwaiting until the drain of 1 node ends, at most 1ms; .*\nn2: 3 sessions, .*\n(?:n2: .*\n)*rollcall: not drained within the --timeout: n2; the drain continues\n$/,
    },
  ]);
  assert.equal((await nodeOf(cluster, 'n2'))?.status, 'draining');
});
