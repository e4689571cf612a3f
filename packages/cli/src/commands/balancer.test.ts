import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BalancerResource } from '@rollcall/protocol';
import { startCluster } from '../testing/cluster.ts';
import { expectOutcomes } from '../testing/outcomes.ts';
import { settingsTable } from './balancer.ts';

const CHANGES: readonly (readonly [words: string, setting: string, value: string, from: string])[] = [
  ['set algorithm=round-robin', 'algorithm', 'round-robin', 'operator'],
  ['set session-algorithm=least-connections', 'session-algorithm', 'least-connections', 'operator'],
  ['set retries=0', 'retries', '0', 'operator'],
  ['set min-eligible=2', 'min-eligible', '2', 'operator'],
  ['set session-idle=5m', 'session-idle', '5m', 'operator'],
  ['set assign=on', 'assign', 'on', 'operator'],
  ['set sticky=suffix', 'sticky', 'suffix', 'operator'],
  ['set cookies=a,b', 'cookies', 'a,b', 'operator'],
  ['set parameters=p', 'parameters', 'p', 'operator'],
  ['set failover=none', 'failover', 'none', 'operator'],
  ['set nofailover=off', 'failover', 'any', 'operator'],
  ['set remove=yes', 'remove', 'true', 'operator'],
  ['set movable=yes', 'movable', 'true', 'operator'],
  ['set route-cookie-name=r', 'route-cookie-name', 'r', 'operator'],
  ['set route-cookie-same-site=Strict', 'route-cookie-same-site', 'Strict', 'operator'],
  ['set route-cookie-secure=always', 'route-cookie-secure', 'always', 'operator'],
  ['set route-cookie-path=/shop', 'route-cookie-path', '/shop', 'operator'],
  ['set route-cookie-domain=example.com', 'route-cookie-domain', 'example.com', 'operator'],
  ['set route-cookie-lifetime=idle:1h', 'route-cookie-lifetime', 'idle:1h', 'operator'],
  ['set upstream-timeout=2m', 'upstream-timeout', '2m', 'operator'],
  ['set tunnel-idle=none', 'tunnel-idle', 'none', 'operator'],
  ['set /export:upstream-timeout=10m', '/export:upstream-timeout', '10m', 'operator'],
  ['set /a=b:upstream-idle=1m', '/a=b:upstream-idle', '1m', 'operator'],
  ['unset retries', 'retries', '2', 'default'],
  ['unset route-cookie-secure', 'route-cookie-secure', 'auto', 'default'],
  ['unset upstream-timeout', 'upstream-timeout', '-', 'proxy'],
];

test('set and unset change one setting, and the table shows value and origin', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('n1');
  for (const [words, setting, value, from] of CHANGES) {
    const { code, stdout, stderr } = await cluster.run(`balancer shop ${words}`);
    assert.equal(code, 0, `${words}: ${stderr}`);
    assert.match(stdout, /^balancer shop has its new settings: .+ → .+\nSETTING +VALUE +FROM\n/);
    const row = stdout.split('\n').find((line) => line.startsWith(`${setting} `));
    assert.deepEqual(row?.split(/ {2,}/), [setting, value, from], words);
    assert.equal((await cluster.run('balancer shop')).stdout, stdout.slice(stdout.indexOf('\n') + 1));
  }
  const unset = await cluster.run('balancer shop unset /export /a=b');
  assert.doesNotMatch(unset.stdout, /^\//m);
});

test('a limit that the balancer does not set has the value of the proxy, or - without a worker', () => {
  const origins = { 'limits.upstreamIdleMs': 'operator' };
  const balancer = { sticky: { cookies: [], parameters: [], routeCookie: { lifetime: { ends: 'session' } } }, origins };
  const shown = { ...balancer, sessionIdleMs: 1, limits: { upstreamIdleMs: 5_000 } } as unknown as BalancerResource;
  const proxy = [
    { key: 'upstreamTimeoutMs', value: 30_000, from: 'proxy' },
    { key: 'upstreamIdleMs', value: 60_000, from: 'proxy' },
    { key: 'tunnelIdleMs', value: 'none', from: 'proxy' },
  ] as const;
  for (const [inherited, rows] of [
    [[], ['- proxy', '5s operator', '- proxy', '- proxy', '- proxy']],
    [proxy, ['30s proxy', '5s operator', '- proxy', 'none proxy', '- proxy']],
  ] as const) {
    const lines = settingsTable(shown, inherited).split('\n').slice(-5);
    assert.deepEqual(
      lines.map((line) => line.split(/ {2,}/).slice(1).join(' ')),
      rows,
    );
  }
});

test('several settings are one change, and a dry run changes nothing', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('n1');
  const settings = async () => (await cluster.run('balancer shop --json')).json<BalancerResource>();
  const before = await settings();
  const dry = await cluster.run('balancer shop set retries=0 sticky=suffix --dry-run');
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(dry.stdout, /would/);
  assert.deepEqual(await settings(), before);
  await cluster.run("balancer shop set retries=0 stickysession=SID|sid --reason 'as in Apache'");
  const { retries, sticky } = await settings();
  assert.deepEqual([retries, sticky.mode, sticky.cookies, sticky.parameters], [0, 'suffix', ['SID'], ['sid']]);
});

test('wrong words are refused, and no setting changes', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('n1');
  const { stdout: before } = await cluster.run('balancer shop');
  await expectOutcomes(cluster.run, [
    { words: 'balancer a.b', code: 2, err: '"a.b" is not a name' },
    { words: 'balancer shop frob', code: 2, err: '"frob" is neither set nor unset' },
    { words: 'balancer shop set', code: 2, err: 'set what? write KEY=VALUE' },
    { words: 'balancer shop unset', code: 2, err: 'unset what? write KEY' },
    { words: 'balancer shop set retries', code: 2, err: '"retries": write KEY=VALUE' },
    { words: 'balancer shop set =1', code: 2, err: '"=1": write KEY=VALUE' },
    { words: 'balancer shop set retries=99', code: 2, err: 'retries "99": write a whole number from 0 to 10' },
    {
      words: 'balancer shop set retries=1 retrys=2',
      code: 2,
      err: /^there is no setting retrys; did you mean "retries"/,
    },
    { words: 'balancer shop unset retrys', code: 2, err: /^there is no setting retrys; did you mean "retries"/ },
    { words: 'balancer shop set /a:nosuch=1s', code: 2, err: /nosuch is not a limit of a balancer or path; there are/ },
    { words: 'balancer shop set algorithm=nosuch', code: 1, err: /nosuch/ },
    { words: `balancer shop set retries=1 --reason ${'x'.repeat(300)}`, code: 2, err: /^--reason has 300 characters/ },
    { words: 'balancer nosuch', code: 1, err: 'there is no balancer nosuch' },
    { words: 'balancer shpo', code: 1, err: /^there is no balancer shpo; did you mean shop\?/ },
  ]);
  assert.equal((await cluster.run('balancer shop')).stdout, before);
});
