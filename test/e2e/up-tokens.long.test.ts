/** The join token that `up` keeps for nodes in a directory of their own. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LiveCluster } from '../live-cluster/cluster.ts';
import { Site, until } from '../site/site.ts';

test('up --token-dir creates a join token that nodes need, and keeps it over a restart', {
  timeout: 180_000,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-token-dir-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const cluster = await LiveCluster.start(['--token-dir', directory]);
  t.after(() => cluster.close());
  const register = async (authorization: Readonly<Record<string, string>>): Promise<number> => {
    const response = await fetch(`${cluster.controlUrl}/v1/nodes/n1`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', ...authorization },
      body: JSON.stringify({ balancer: 'shop', url: 'http://127.0.0.1:9', ttlMs: 60_000 }),
    });
    await response.body?.cancel();
    return response.status;
  };
  assert.deepEqual(readdirSync(directory), ['join-token']);
  const token = readFileSync(join(directory, 'join-token'), 'utf8').trim();
  const withToken = { authorization: `Bearer ${token}` };
  assert.equal(await register({}), 401);
  assert.ok((await register(withToken)) < 300);
  await cluster.endUp();
  await cluster.startUp();
  assert.ok((await register(withToken)) < 300);
});

test('two join tokens at once are a mistake', { timeout: 180_000 }, async (t) => {
  const cluster = await LiveCluster.start();
  t.after(() => cluster.close());
  process.env['ROLLCALL_JOIN_TOKEN'] = 'join-token-of-the-test';
  t.after(() => delete process.env['ROLLCALL_JOIN_TOKEN']);
  const { code, stderr } = await cluster.bareCli('up', '--token-dir', '/nowhere');
  assert.equal(code, 2);
  assert.match(stderr, /ROLLCALL_JOIN_TOKEN and --token-dir/);
});

test('a join token or an admin token of fewer than 16 characters is refused before anything starts', {
  timeout: 60_000,
}, async (t) => {
  const cluster = await LiveCluster.start();
  t.after(() => cluster.close());
  for (const name of ['ROLLCALL_JOIN_TOKEN', 'ROLLCALL_ADMIN_TOKEN']) {
    process.env[name] = 'fifteen-letters';
    t.after(() => delete process.env[name]);
    const { code, stderr } = await cluster.bareCli('up');
    delete process.env[name];
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`${name} has 15 characters; a token needs 16 or more, for example from`));
  }
});

test('a token variable that is set but empty is reported by up, and by run, which registers without a token', {
  timeout: 180_000,
}, async (t) => {
  const empty = { ROLLCALL_JOIN_TOKEN: '', ROLLCALL_ADMIN_TOKEN: '' };
  const site = await Site.start(t, { environment: empty });
  assert.match(site.log, /ROLLCALL_JOIN_TOKEN is set but empty: agents on this machine need no token, unless/);
  assert.match(site.log, /ROLLCALL_ADMIN_TOKEN is set but empty: the admin token of the state directory is used/);
  const program = `require('node:http').createServer((_, answer) => answer.end()).listen(process.env.PORT, '127.0.0.1')`;
  const run = site.start(['run', '--id', 'n1', '--', process.execPath, '-e', program], empty);
  let log = '';
  run.stderr!.on('data', (octets: Buffer) => {
    log += octets.toString();
  });
  await until(() => log.includes('n1 is registered'), 'the node does not register');
  assert.match(log, /ROLLCALL_JOIN_TOKEN is set but empty: the node registers without a token/);
});
