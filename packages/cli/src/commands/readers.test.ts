/** Commands that only read: their text and their JSON. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusResource } from '@rollcall/protocol';
import { commandWithAnswers } from '../testing/answers.ts';
import { startCluster } from '../testing/cluster.ts';
import { expectOutcomes } from '../testing/outcomes.ts';

test('an empty cluster is described, not shown as an empty table', async (t) => {
  const cluster = await startCluster(t);
  await expectOutcomes(cluster.run, [
    { words: 'nodes', out: 'no nodes; add one with  rollcall run -- YOUR PROGRAM {port}' },
    { words: 'nodes --balancer shop', code: 1, err: 'there is no balancer shop' },
    { words: 'nodes --balancer sh/op', code: 2, err: '"sh/op" is not a name' },
    { words: 'balancer', out: 'no balancers: a balancer is created when its first node registers' },
    { words: 'logins', out: 'no browser is logged in' },
    { words: 'health', out: 'ready' },
    { words: 'status', out: /\nnodes: 0 up, 0 suspect, 0 joining, 0 down, 0 missing, 0 gone; 0 sessions\n/ },
  ]);
});

test('tables have a row per node and balancer; filters and --all choose the rows', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('n1', { sessions: 2 });
  await cluster.add('m1', { balancer: 'wiki', contexts: ['/wiki'], hosts: ['wiki.example'] });
  await expectOutcomes(cluster.run, [
    { words: 'nodes', out: /^NODE +BALANCER .*\nn1 +shop .* 2 .*\nm1 +wiki .*\n$/ },
    { words: 'nodes --balancer wiki', out: /^NODE .*\nm1 .*\n$/ },
    { words: 'balancer', out: /^BALANCER .*\nshop +insert .* \/\nwiki +insert .* wiki\.example\/wiki\n$/ },
    { words: 'remove n1 --yes', out: /^node n1/ },
    { words: 'nodes', out: /^NODE .*\nm1 .*\n$/ },
    { words: 'nodes --all', out: /^NODE .*\nm1 .*\nn1 .* gone .*\n$/ },
  ]);
});

const FIELDS: readonly (readonly [words: string, fields: readonly string[]])[] = [
  ['nodes', ['nodes']],
  ['status', ['name', 'version', 'revision', 'nodes', 'workers', 'processes', 'quotas', 'advice', 'store', 'totals']],
  ['balancer', ['balancers']],
  ['balancer shop', ['name', 'sticky', 'origins', 'contexts', 'nodes']],
  ['explain n1', ['id', 'balancer', 'because', 'metrics']],
  ['logins', ['logins']],
  ['logins --link', ['url']],
  ['login', ['url']],
  ['token list', ['tokens']],
  ['forget --all', ['message']],
  ['balancer shop set retries=1', ['balancer', 'message']],
  ['config show', ['options', 'balancers']],
];

test('--json prints one line with the fields of the admin API', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('n1');
  for (const [words, fields] of FIELDS) {
    const { code, stdout, stderr, json } = await cluster.run(`${words} --json`);
    assert.equal(code, 0, `${words}: ${stderr}`);
    assert.equal(stdout.indexOf('\n'), stdout.length - 1, words);
    const seen = json<Record<string, unknown>>();
    for (const field of fields) assert.ok(Object.hasOwn(seen, field), `${words}: ${field} of ${Object.keys(seen)}`);
  }
  const events = (await cluster.run('events --json')).stdout.trim().split('\n');
  assert.ok(events.length >= 3);
  for (const line of events) assert.equal(typeof (JSON.parse(line) as { message: unknown }).message, 'string');
});

test('events prints time, message and author, without control characters', async (t) => {
  const atUnixMs = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
  const events = [
    { atUnixMs, message: 'node n1 \u001b[31mis\u0007 up' },
    { atUnixMs, message: 'node n1 drained', by: 'ops' },
  ];
  const stub = await commandWithAnswers(t, 'events --utc', { 'GET /v1/events': { events } });
  assert.equal(
    stub.stdout,
    '2026-01-02T03:04:05.006Z  node n1  [31mis  up\n2026-01-02T03:04:05.006Z  node n1 drained (by ops)\n',
  );
});

test('events are selected by node, balancer, type, time and number', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('n1');
  await cluster.add('m1', { balancer: 'wiki', contexts: ['/wiki'] });
  const local = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d\d:\d\d {2}node n1 is up, was joining$/m;
  const lines = async (flags: string): Promise<string[]> =>
    (await cluster.run(`events ${flags}`)).stdout.split('\n').filter(Boolean);
  assert.match((await lines('')).join('\n'), local);
  const ofNode = await lines('--node m1');
  assert.ok(ofNode.length >= 2 && ofNode.every((line) => / m1 /.test(line)), ofNode.join('\n'));
  assert.deepEqual(
    (await lines('--balancer shop')).filter((line) => / m1 /.test(line)),
    [],
  );
  assert.equal((await lines('-n 1')).length, 1);
  assert.equal((await lines('-n 0')).length, 0);
  assert.deepEqual(await lines('--since 0'), [], 'none is new');
  assert.ok((await lines('--since 1h')).length >= 4);
  const types = new Set((await lines('--json')).map((line) => (JSON.parse(line) as { type: string }).type));
  const [type] = types;
  for (const line of await lines(`--json --type ${type}`)) assert.equal(JSON.parse(line).type, type);
  await expectOutcomes(cluster.run, [
    { words: 'events --since noon', code: 2, err: /^--since "noon" is no time: write a duration like 5m/ },
    { words: 'events --node a.b', code: 2, err: '--node "a.b" is not a name' },
    { words: 'events -n many', code: 2, err: /^--count "many": write a whole number/ },
  ]);
});

test('events --follow prints past events, then each event of the stream until it ends, and leaves no listener', async (t) => {
  const before = process.listenerCount('SIGINT');
  const stream = `: hello\n\ndata: {"id":7,"atUnixMs":0,"message":"one"}\n\nid: 8\ndata:{"id":8,"atUnixMs":1000,"node":"n1","message":"two"}\n\n`;
  const answers = {
    'GET /v1/events': { events: [{ id: 6, atUnixMs: 0, node: 'n1', message: 'past' }] },
    'GET /v1/events?since=6': stream,
  };
  const { code, stdout, stderr } = await commandWithAnswers(t, 'events -f --utc', answers);
  assert.equal(code, 0, stderr);
  assert.equal(
    stdout,
    '1970-01-01T00:00:00.000Z  past\n1970-01-01T00:00:00.000Z  one\n1970-01-01T00:00:01.000Z  two\n',
  );
  const ofNode = await commandWithAnswers(t, 'events -f --utc --node n1 -n 0', answers);
  assert.equal(ofNode.stdout, '1970-01-01T00:00:01.000Z  two\n');
  assert.equal(process.listenerCount('SIGINT'), before);
  await commandWithAnswers(t, 'events -f', {});
  assert.equal(process.listenerCount('SIGINT'), before, 'after an error');
});

const NOW = 1_000_000_000;
const STATUS = {
  name: 'coordinator',
  version: '1.2.3',
  revision: 7,
  nowUnixMs: NOW,
  startedAtUnixMs: NOW - 60_000,
  isSettled: true,
  proxy: 'http://site',
  control: 'http://control',
  store: { kind: 'file', isReachable: true, sinceUnixMs: NOW, waiting: 0 },
  state: { directory: '/state', isWritable: true },
  nodes: { up: 2, suspect: 0, joining: 0, down: 1, missing: 0, gone: 0 },
  sessions: 4,
  sessionsSeenOnce: 0,
  totals: { requests: 10, failed: 1, retries: 2, failovers: 3, unavailable: 4 },
  requestsPerSecond: 1.25,
  quotas: [],
  remembered: [],
  unserved: [],
  parked: { requests: 0, oldestMs: 0 },
  workers: [],
  processes: [],
  verdict: { line: 'All well', problems: [] },
  advice: [],
};
const WORKER = { worker: 'w1', pid: 9, revision: 7, isCurrent: true, requests: 5, inFlight: 1, connections: 2 };
const PROBLEM = {
  kind: 'unserved',
  level: 'outage',
  message: 'no node can serve /a',
  effect: 'visitors get 503',
  remedy: 'start one',
  sinceUnixMs: NOW - 5_000,
};
const context = (path: string) => ({ path, host: '*', balancer: 'shop', sinceUnixMs: NOW - 5_000 });

/** A worker with certificates that end in one day, two days and so on. */
function withCertificates(...paths: readonly string[]): object {
  const certificates = paths.map((path, i) => ({ path, names: [], endsAtUnixMs: NOW + (i + 1) * 86_400_000 }));
  return { name: 'worker', pid: 5, sinceUnixMs: NOW, restarts: 0, certificates };
}

const STATUS_LINES: readonly (readonly [what: string, change: object, line: string | RegExp])[] = [
  ['the age', {}, 'coordinator 1.2.3, up 1m00s, revision 7'],
  ['a start', { isSettled: false }, 'coordinator 1.2.3, up 1m00s, revision 7, not settled yet'],
  ['the addresses', {}, 'site http://site, control http://control'],
  ['the store', {}, 'store file: reachable'],
  [
    'a file that cannot be written',
    { store: { kind: 'file', isReachable: false, sinceUnixMs: NOW - 2_000, waiting: 3, lastError: 'ENOSPC' } },
    'store file: not writable for 2s (ENOSPC), 3 records wait',
  ],
  [
    'a store that is unreachable',
    { store: { kind: 'redis', isReachable: false, sinceUnixMs: NOW - 2_000, waiting: 0 } },
    'store redis: unreachable for 2s, 0 records wait',
  ],
  [
    'a state directory that is not writable',
    { state: { directory: '/state', isWritable: false, sinceUnixMs: NOW - 3_000, lastError: 'EROFS' } },
    'state /state: not writable for 3s (EROFS)',
  ],
  [
    'an unknown error of the state directory',
    { state: { directory: '/state', isWritable: false } },
    'state /state: not writable for 0ms (unknown error)',
  ],
  [
    'a certificate',
    { controlCertificate: { path: '/c.pem', endsAtUnixMs: NOW + 86_400_000 } },
    /^control certificate \/c\.pem: expires in 1d/,
  ],
  [
    'an expired certificate',
    { controlCertificate: { path: '/c.pem', endsAtUnixMs: NOW - 60_000 } },
    'control certificate /c.pem: expired 1m00s ago',
  ],
  ['no certificate of the site', {}, /^store /],
  [
    'the certificate of the site',
    { processes: [withCertificates('/a.pem'), withCertificates('/a.pem')] },
    /^site certificate \/a\.pem: expires in 1d/,
  ],
  [
    'the first of the certificates of the site to end',
    { processes: [withCertificates('/a.pem', '/b.pem')] },
    /^site certificates: 2, the first to end is \/a\.pem: expires in 1d/,
  ],
  ['the nodes', {}, 'nodes: 2 up, 0 suspect, 0 joining, 1 down, 0 missing, 0 gone; 4 sessions'],
  ['the requests', {}, 'requests: 10 in all, 1.3/s; 1 failed, 2 retries, 3 failovers, 4 found no node'],
  [
    'one parked request',
    { parked: { requests: 1, oldestMs: 900 } },
    /^parked: 1 request waits for its node, the oldest/,
  ],
  [
    'parked requests',
    { parked: { requests: 2, oldestMs: 900 } },
    /^parked: 2 requests wait for their nodes, the oldest/,
  ],
  [
    'a context without nodes',
    { remembered: [context('/a')] },
    /^contexts without nodes, .*: \/a on \* \(balancer shop, for 5s\)$/,
  ],
  [
    'many contexts without nodes',
    { remembered: ['/a', '/b', '/c', '/d', '/e', '/f', '/g'].map(context) },
    /\/e on \* \(balancer shop, for 5s\) and 2 more$/,
  ],
  ['the verdict', {}, 'All well'],
  [
    'a problem',
    { verdict: { line: '', problems: [PROBLEM] } },
    '! outage (unserved, for 5s): no node can serve /a; visitors get 503',
  ],
  ['a remedy', { verdict: { line: '', problems: [PROBLEM] } }, '  to do: start one'],
  ['further problems', { verdict: { line: '', problems: [PROBLEM], more: 3 } }, 'and 3 more problems'],
  ['no worker', {}, 'no proxy worker is connected'],
  ['a worker', { workers: [WORKER] }, /^w1 +9 +7 +yes +5 +1 +2$/],
  ['a worker that is behind', { workers: [{ ...WORKER, isCurrent: false }] }, /^w1 +9 +7 +no /],
  [
    'a restarted process',
    { processes: [{ name: 'worker 1', pid: 5, sinceUnixMs: NOW - 1_000, restarts: 2, lastReason: 'killed' }] },
    /^worker 1 +5 +1s +2 {2}killed$/,
  ],
  [
    'a process without a reason',
    { processes: [{ name: 'worker 1', sinceUnixMs: NOW - 1_000, restarts: 1 }] },
    /^worker 1 +- +1s +1$/,
  ],
];

for (const [what, change, line] of STATUS_LINES)
  test(`status shows ${what}`, async (t) => {
    const status = { ...STATUS, ...change } as unknown as StatusResource;
    const { code, stdout, stderr } = await commandWithAnswers(t, 'status', { 'GET /v1/status': status });
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split('\n');
    assert.ok(
      lines.some((one) => (typeof line === 'string' ? one === line : line.test(one))),
      stdout,
    );
  });

test('status leaves out what is as usual', async (t) => {
  const change = {
    workers: [WORKER],
    processes: [{ name: 'worker 1', pid: 5, sinceUnixMs: NOW, restarts: 0 }],
  };
  const { stdout } = await commandWithAnswers(t, 'status', { 'GET /v1/status': { ...STATUS, ...change } });
  assert.doesNotMatch(stdout, /parked|certificate|state \/|contexts without|PROCESS|^!|quota|no proxy worker/m);
});

const EXITS: readonly (readonly [verdict: object | undefined, code: number])[] = [
  [{ line: '', problems: [] }, 0],
  [{ line: '', problems: [{ ...PROBLEM, kind: 'draining', level: 'planned' }] }, 0],
  [{ line: '', level: 'harm', problems: [{ ...PROBLEM, kind: 'errors', level: 'harm' }] }, 5],
  [{ line: '', level: 'outage', problems: [PROBLEM] }, 6],
  [undefined, 1],
];

test('status --exit-code is 5 with problems, and 6 without an eligible node', async (t) => {
  for (const [verdict, expected] of EXITS) {
    const { code } = await commandWithAnswers(t, 'status --exit-code', { 'GET /v1/status': { ...STATUS, verdict } });
    assert.equal(code, expected, JSON.stringify(verdict));
  }
});

const EXPLAINED = {
  because: 'n1 has the lowest score.',
  chosen: 'n1',
  balancer: 'shop',
  candidates: [
    { id: 'n1', isEligible: true, reason: 'up', score: 0.123456 },
    { id: 'n2', isEligible: false, reason: 'draining' },
  ],
  limits: [
    { key: 'upstreamTimeoutMs', value: 120_000, from: 'path', path: '/export' },
    { key: 'tunnelIdleMs', value: 60_000, from: 'balancer' },
    { key: 'upstreamIdleMs', value: 30_000, from: 'proxy' },
  ],
};

test('explain prints reason, candidates and the limits of a request', async (t) => {
  const answers = { 'POST /v1/explain': EXPLAINED };
  const words = "explain --url http://shop.example:81/cart?a=b --cookie 'a=1; b=2'";
  const { code, stdout, stderr, requests } = await commandWithAnswers(t, words, answers);
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(requests[0]!.body), { host: 'shop.example', target: '/cart?a=b', cookie: 'a=1; b=2' });
  assert.match(
    stdout,
    /^n1 has the lowest score\.\n\* is the chosen node: the one with the lowest score\n {2}NODE +ELIGIBLE +SCORE +REASON\n/,
  );
  assert.match(stdout, /\n\* n1 +yes +0\.123 +up\n {2}n2 +no +draining\n/);
  assert.match(
    stdout,
    /\nupstream-timeout +2m +path \/export\ntunnel-idle +1m +balancer shop\nupstream-idle +30s +proxy\n$/,
  );
});

test('explain reads the cookie from standard input for --cookie -', async (t) => {
  const answers = { 'POST /v1/explain': { because: 'nobody.', candidates: [] } };
  const { stdout, requests } = await commandWithAnswers(t, 'explain --cookie -', answers, { input: ' id=5.n1 \n' });
  assert.deepEqual(JSON.parse(requests[0]!.body), { host: 'localhost', target: '/', cookie: 'id=5.n1' });
  assert.equal(stdout, 'nobody.\n');
});

test('explain --live prints a decision per line, with the scores of the others', async (t) => {
  const decision = { atUnixMs: 3_723_004, method: 'GET', host: 'shop', path: '/a', because: 'lowest score' };
  const two = [
    { id: 'n1', score: 0.5, reason: '' },
    { id: 'n2', reason: 'it is new' },
  ];
  const decisions = [
    { ...decision, chosen: 'n1', candidates: two, candidateCount: 5 },
    { ...decision, because: 'no node is up', candidates: [], candidateCount: 0 },
  ];
  const answers = { 'POST /v1/decisions': { decisions } };
  const live = await commandWithAnswers(t, 'explain --live --picks --count 3 --for 1s', answers);
  assert.deepEqual(JSON.parse(live.requests[0]!.body), { count: 3, forMs: 1_000, onlyPicks: true });
  assert.equal(
    live.stdout,
    [
      'the lowest score is chosen',
      '01:02:03.004  GET shop/a  → n1: lowest score',
      '              scores: n1 0.500, n2 (it is new), and 3 more',
      '01:02:03.004  GET shop/a  no node: no node is up',
      '',
    ].join('\n'),
  );
  const none = await commandWithAnswers(t, 'explain --live --for 2s', { 'POST /v1/decisions': { decisions: [] } });
  assert.equal(none.stdout, 'no request came within 2s\n');
});

test('explain --request prints in sentences what happened to a request', async (t) => {
  const decision = {
    requestId: 'abc-1',
    atUnixMs: 3_723_004,
    method: 'GET',
    host: 'shop',
    path: '/cart',
    balancer: 'shop',
    context: '/',
    sessionFrom: 'cookie JSESSIONID',
    result: 'moved',
    chosen: 'n2',
    because: "its session's node n1 is lost (refused): n2 takes over",
    attempts: [
      { node: 'n1', outcome: 'connection refused', afterMs: 1 },
      { node: 'n2', outcome: 'answered', afterMs: 12.5 },
    ],
    waitedMs: 812,
    status: 200,
    upstreamMs: 12.5,
    durationMs: 830,
  };
  const answers = { 'GET /v1/decisions/abc-1': { decision, worker: 'local-0' } };
  const { stdout } = await commandWithAnswers(t, 'explain --request abc-1', answers);
  assert.equal(
    stdout,
    [
      '1970-01-01T01:02:03.004Z  GET shop/cart',
      '  context / of balancer shop, at worker local-0',
      '  its session was found in cookie JSESSIONID',
      '  it waited 812 ms in all for a node',
      '  sent to n1: connection refused after 1 ms',
      '  sent to n2: answered after 12.5 ms',
      "  n2 was chosen last: its session's node n1 is lost (refused): n2 takes over",
      '  answered with 200, 830 ms after its arrival',
      '',
    ].join('\n'),
  );
});

test('explain refuses flags that do not belong together, and wrong numbers', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('n1');
  await expectOutcomes(cluster.run, [
    { words: 'explain --request a --live', code: 2, err: '--request excludes a node id, --url, --cookie and --live' },
    {
      words: 'explain --request a/b',
      code: 2,
      err: '--request "a/b" is no request id: it has 1 to 128 characters, without spaces',
    },
    { words: 'explain --picks', code: 2, err: '--picks needs --live' },
    { words: 'explain --count 5', code: 2, err: '--count needs --live' },
    { words: 'explain --for 5s', code: 2, err: '--for needs --live' },
    { words: 'explain n1 --live', code: 2, err: '--live and a node id exclude each other' },
    { words: 'explain n1 --url http://a/', code: 2, err: 'a node id excludes --url and --cookie' },
    { words: 'explain n1 --cookie a=b', code: 2, err: 'a node id excludes --url and --cookie' },
    { words: 'explain --url shop', code: 2, err: /^--url shop is not an address: write an address like http/ },
    { words: 'explain --live --count 0', code: 2, err: /^--count / },
    { words: 'explain --live --count x', code: 2, err: /^--count / },
    { words: 'explain --live --for 1h', code: 2, err: /^--for "1h" is too long: / },
    { words: 'explain n2', code: 1, err: 'there is no node n2; did you mean n1?' },
    { words: 'explain', code: 1, err: 'no proxy worker is connected to answer this' },
    { words: 'explain --live', code: 1, err: 'no proxy worker is connected to answer this' },
  ]);
});
