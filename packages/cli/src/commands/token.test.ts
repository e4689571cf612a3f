/** `token`, `logins`, `forget`, `config`, `reload` and `rotate` against a coordinator in this process. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LoginResource, TokenResource, TokenResult } from '@rollcall/protocol';
import { commandWithAnswers } from '../testing/answers.ts';
import { startCluster, wordsOf } from '../testing/cluster.ts';
import { command } from '../testing/command.ts';
import { expectOutcomes } from '../testing/outcomes.ts';

const SECRET = /^[A-Za-z0-9_-]{43}\n$/;

test('only the secret of a new token is on standard output, and it is accepted', async (t) => {
  const cluster = await startCluster(t);
  const created = await cluster.run('token create ops --role operator --reason new');
  assert.match(created.stdout, SECRET);
  assert.equal(created.stderr, 'token ops (role operator) created; the secret is shown only once:\n');
  const use = { env: { ROLLCALL_ADMIN_TOKEN: created.stdout.trim() } };
  await cluster.add('n1');
  assert.equal((await cluster.run('drain n1 --yes', use)).code, 0);
  const rotated = await cluster.run('token rotate ops --overlap 0s');
  assert.match(rotated.stdout, SECRET);
  assert.notEqual(rotated.stdout, created.stdout);
  assert.equal((await cluster.run('enable n1', use)).code, 1);
  const again = { env: { ROLLCALL_ADMIN_TOKEN: rotated.stdout.trim() } };
  assert.equal((await cluster.run('enable n1', again)).code, 0);
  assert.equal((await cluster.run('token revoke ops')).code, 0);
  assert.equal((await cluster.run('drain n1 --yes', again)).code, 1);
});

const BOUND: readonly (readonly [flags: string, text: string])[] = [
  ['--balancer shop --balancer wiki', 'balancer shop,wiki'],
  ['--host shop.example', 'host shop.example'],
  ['--context /shop', 'context /shop'],
  ["--node 'shop-*'", 'node shop-*'],
  ['--address 10.0.0.0/8', 'address 10.0.0.0/8'],
  ['--nodes 20', 'nodes 20'],
  ['--max-weight 2.5', 'max-weight 2.5'],
];

test('each binding is shown in the list, replaced by set and removed by --clear', async (t) => {
  const cluster = await startCluster(t);
  const rowOf = async (name: string) =>
    (await cluster.run('token list')).stdout
      .split('\n')
      .find((line) => line.startsWith(name))
      ?.trim();
  for (const [i, [flags, text]] of BOUND.entries()) {
    const name = `t${i}`;
    assert.equal((await cluster.run(`token create ${name} --role join ${flags}`)).code, 0, flags);
    assert.ok((await rowOf(name))?.endsWith(`  ${text}`), `${flags}: ${await rowOf(name)}`);
    const clear = flags.split(' ')[0]!.slice(2);
    assert.equal((await cluster.run(`token set ${name} --clear ${clear}`)).code, 0, clear);
    assert.match((await rowOf(name))!, / -$/, clear);
    assert.equal((await cluster.run(`token set ${name} ${flags}`)).code, 0, flags);
    assert.ok((await rowOf(name))?.endsWith(`  ${text}`), flags);
  }
});

test('expiry and certificate are set and cleared', async (t) => {
  const cluster = await startCluster(t);
  const tokenOf = async (name: string) =>
    (await cluster.run('token list --json'))
      .json<{ tokens: TokenResource[] }>()
      .tokens.find((token) => token.name === name)!;
  const startedMs = Date.now();
  assert.equal((await cluster.run('token create t --role viewer --expires 1h --certificate web-1')).code, 0);
  const { expiresAtUnixMs, certificate } = await tokenOf('t');
  assert.ok(expiresAtUnixMs! >= startedMs + 3_600_000 && expiresAtUnixMs! <= Date.now() + 3_600_000);
  assert.equal(certificate, 'web-1');
  assert.equal((await cluster.run('token set t --clear expires --clear certificate')).code, 0);
  const cleared = await tokenOf('t');
  assert.deepEqual([cleared.expiresAtUnixMs, cleared.certificate], [undefined, undefined]);
});

test('a dry run of each change changes no token, and prints no secret', async (t) => {
  const cluster = await startCluster(t);
  await cluster.run('token create t --role join');
  const { stdout: before } = await cluster.run('token list');
  for (const words of ['create u --role join', 'set t --nodes 1', 'rotate t', 'revoke t']) {
    const { code, stdout, stderr } = await cluster.run(`token ${words} --dry-run`);
    assert.equal(code, 0, stderr);
    assert.match(stdout + stderr, /token [tu] \(role join\) would be /, words);
    assert.doesNotMatch(stdout, SECRET);
  }
  assert.equal((await cluster.run('token list')).stdout, before);
});

test('--json of create and rotate has the secret', async (t) => {
  const cluster = await startCluster(t);
  for (const words of ['create t --role viewer', 'rotate t']) {
    const { stderr, json } = await cluster.run(`token ${words} --json`);
    assert.match(`${json<TokenResult>().secret}\n`, SECRET);
    assert.equal(stderr, '');
  }
});

test('token list follows all pages', async (t) => {
  const token = (name: string) => ({ name, role: 'join', source: 'created', secrets: 1, nodes: 0 });
  const { json, requests } = await commandWithAnswers(t, 'token list --json', {
    'GET /v1/tokens': { tokens: [token('a')], next: 'a' },
    'GET /v1/tokens?after=a': { tokens: [token('b')] },
  });
  assert.deepEqual(
    json<{ tokens: { name: string }[] }>().tokens.map(({ name }) => name),
    ['a', 'b'],
  );
  assert.equal(requests.length, 2);
});

test('wrong words of token are refused', async (t) => {
  const cluster = await startCluster(t);
  await cluster.run('token create t --role join');
  await expectOutcomes(cluster.run, [
    {
      words: 'token create u',
      code: 2,
      err: /^required option '--role <role>' not specified; see rollcall token create --help\n$/,
    },
    { words: 'token create u --role boss', code: 2, err: /Allowed choices are join, viewer, operator, admin, proxy/ },
    { words: 'token create t --role join', code: 1, err: /\bt\b.*(?:exists|taken)|already/ },
    { words: 'token create a.b --role join', code: 1, err: 'a.b does not match [A-Za-z0-9_-]{1,64}' },
    { words: 'token create u --role join --nodes many', code: 2, err: '--nodes "many" is not a number' },
    { words: 'token create u --role join --max-weight -1', code: 2, err: '--max-weight "-1" is not a number' },
    {
      words: 'token create u --role join --expires 0s',
      code: 2,
      err: /^--expires "0s" is too short: write a duration from 1s to 3650d\n$/,
    },
    { words: 'token create u --role join --address nowhere', code: 1, err: /nowhere/ },
    { words: 'token set t', code: 2, err: 'set what? see rollcall token set --help' },
    { words: 'token set t --reason x --dry-run', code: 2, err: 'set what? see rollcall token set --help' },
    { words: 'token set t --clear role', code: 2, err: /^--clear role is not one of balancer, host, / },
    { words: 'token set u --nodes 1', code: 1, err: /^there is no token u/ },
    { words: 'token rotate t --overlap 31d', code: 2, err: /^--overlap "31d" is too long: .* to 30d\n$/ },
    { words: 'token rotate u', code: 1, err: /^there is no token u/ },
    { words: 'token revoke u', code: 1, err: /^there is no token u/ },
    { words: 'token', code: 2, err: /\S/ },
  ]);
});

test('a login link logs a browser in; logins lists and ends the login', async (t) => {
  const cluster = await startCluster(t);
  const link = (await cluster.run('logins --link')).stdout.trim();
  assert.match(link, new RegExp(`^${cluster.url}/login\\?code=`));
  const page = await fetch(link, { redirect: 'manual', headers: { 'user-agent': 'Sample/1.0' } });
  await page.text();
  const list = async () => (await cluster.run('logins --json')).json<{ logins: LoginResource[] }>().logins;
  let logins = await list();
  if (logins.length === 0) {
    // The link needs a confirmation by POST.
    const posted = await fetch(link, { method: 'POST', redirect: 'manual', headers: { origin: cluster.url } });
    await posted.text();
    logins = await list();
  }
  assert.equal(logins.length, 1, `${page.status}`);
  const [{ id }] = logins as [LoginResource];
  await expectOutcomes(cluster.run, [
    { words: 'logins', out: new RegExp(`^LOGIN +FROM +SINCE +ENDS IN +BROWSER\n${id} +127\\.0\\.0\\.1 `) },
    { words: `logins --end ${id} --dry-run`, out: new RegExp(`^would end login ${id} of .*, from 127\\.0\\.0\\.1\n$`) },
    { words: `logins --end ${id}`, out: `login ${id} has ended` },
    { words: 'logins', out: 'no browser is logged in' },
    { words: `logins --end ${id}`, code: 1, err: `there is no login ${id}` },
    { words: `logins --end ${id} --dry-run`, code: 1, err: `there is no login ${id}` },
    { words: 'logins --dry-run', code: 2, err: '--dry-run needs --end' },
    { words: `logins --link --end ${id}`, code: 2, err: '--link and --end exclude each other' },
  ]);
});

test('forget removes contexts that have lost their last node', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('m1', { balancer: 'wiki', contexts: ['/wiki'], hosts: ['wiki.example'] });
  await cluster.run('remove m1 --yes');
  await expectOutcomes(cluster.run, [
    { words: 'status', out: /\ncontexts without nodes, .*: \/wiki on wiki\.example \(balancer wiki/ },
    { words: 'forget', code: 2, err: 'write rollcall forget CONTEXT with a path like /login, or --all' },
    { words: 'forget /wiki --all', code: 2, err: 'write rollcall forget CONTEXT with a path like /login, or --all' },
    { words: 'forget wiki', code: 1, err: /wiki/ },
    { words: 'forget --all --dry-run', out: /would/ },
    { words: 'status', out: /\ncontexts without nodes, .*: \/wiki on wiki\.example/ },
    { words: 'forget /other', out: /no such context is remembered/ },
    { words: 'forget /wiki --host wiki.example', out: /^forgot \/wiki/ },
    { words: 'status', out: /^(?![\s\S]*contexts without nodes)/ },
  ]);
});

for (const verb of ['reload', 'rotate'] as const) {
  test(`${verb} prints the action of up`, async (t) => {
    const cluster = await startCluster(t, { [verb]: async () => `${verb}: done` });
    await expectOutcomes(cluster.run, [
      { words: verb, out: new RegExp(`${verb}: done`) },
      { words: `${verb} --json`, out: /^\{.*"message":".*done/ },
    ]);
  });

  test(`${verb} prints the refusal of up with exit 1`, async (t) => {
    const failing = async (): Promise<string> => {
      throw new Error('line 3 is wrong');
    };
    const cluster = await startCluster(t, { [verb]: failing });
    await expectOutcomes(cluster.run, [{ words: verb, code: 1, err: /line 3 is wrong/ }]);
  });

  test(`${verb} without up is refused with exit 1`, async (t) => {
    const cluster = await startCluster(t);
    await expectOutcomes(cluster.run, [
      { words: verb, code: 1, err: 'this coordinator was not started by rollcall up' },
    ]);
  });
}

test('config show prints value and origin, and no password', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'settings.json');
  const show = (words: string) => command(wordsOf(`config show ${words}`), { env: { ROLLCALL_WORKERS: '2' } });
  writeFileSync(file, JSON.stringify({ grace: '20s', balancers: { shop: { retries: 1 } } }));
  const { stdout, stderr } = await show(`--origin -- --config ${file} --control 127.0.0.1:9 --store redis://u:pw@r:1`);
  for (const row of [
    /^grace +20s +file$/m,
    /^workers +2 +environment$/m,
    /^control +127\.0\.0\.1:9 +flag$/m,
    /^log-level +info +default$/m,
    /^advertise +- +default$/m,
    /^balancer shop: \{"retries":1\} \(file\)$/m,
  ])
    assert.match(stdout, row, stderr);
  assert.doesNotMatch(stdout, /pw/);
  const { json } = await show(`--json -- --config ${file}`);
  const { options, balancers } = json<{ options: { option: string; value: unknown }[]; balancers: object[] }>();
  assert.equal(options.find(({ option }) => option === 'grace')?.value, '20s');
  assert.equal(balancers.length, 1);
  for (const [text, message] of [
    ['{"grac": "1s"}', /unknown key "grac"; did you mean "grace"\?/],
    ['{"grace": true}', /grace is not text/],
    ['{', /is not JSON: unexpected end of the text in line 1, column 2/],
    ['[]', /is not a JSON object/],
  ] as const) {
    writeFileSync(file, text);
    const ran = await show(`-- --config ${file}`);
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, message);
  }
});
