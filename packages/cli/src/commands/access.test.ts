/** Commands of the admin API without a coordinator, and with tokens that are missing, wrong or of a lower role. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { listening } from '@rollcall/agent/testing';
import { freePort } from '@rollcall/core/testing';
import { startCluster, wordsOf } from '../testing/cluster.ts';
import { command } from '../testing/command.ts';

const READERS = ['nodes', 'status', 'events', 'balancer', 'balancer shop', 'explain n1'];
const WRITERS = [
  'drain n1 --yes',
  'enable n1',
  'stop n1 --yes',
  'remove n1 --yes',
  'weight n1 2',
  'redirect n1 n2',
  'balancer shop set retries=1',
  'forget --all',
  'reload',
  'rotate',
];
const OWNERS = ['logins', 'logins --link', 'token list', 'token create x --role join', 'token revoke x'];
const ALL = [...READERS, ...WRITERS, ...OWNERS];

test('without a coordinator each command ends with exit 3 and names the address', async () => {
  const free = await freePort();
  for (const words of [...ALL, 'health']) {
    const { code, stdout, stderr } = await command(wordsOf(words), {
      env: { ROLLCALL_URL: `http://127.0.0.1:${free}`, ROLLCALL_STATE_DIR: '/none' },
    });
    assert.equal(code, 3, `${words}: ${stderr}`);
    assert.equal(stdout, '');
    assert.match(stderr, new RegExp(`^rollcall: .*127\\.0\\.0\\.1:${free}`), words);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
  }
});

test('a server that is no coordinator is named as such, with exit 3', async (t) => {
  const port = await listening(
    t,
    createServer((_, response) => void response.end('<html>hello</html>')),
  );
  for (const words of ['nodes', 'drain n1', 'health']) {
    const { code, stderr } = await command(wordsOf(words), { env: { ROLLCALL_URL: `http://127.0.0.1:${port}` } });
    assert.equal(code, 3, stderr);
    assert.match(stderr, new RegExp(`no coordinator at http://127\\.0\\.0\\.1:${port}: `));
  }
});

for (const [what, commands] of [
  ['reads', READERS],
  ['writes', WRITERS],
  ['commands of the owner', OWNERS],
] as const)
  test(`${what} with a wrong token are refused with exit 1 and the remedy`, async (t) => {
    const cluster = await startCluster(t);
    await cluster.add('n1');
    for (const words of commands) {
      const { code, stdout, stderr } = await cluster.run(words, { env: { ROLLCALL_ADMIN_TOKEN: 'wrong' } });
      assert.equal(code, 1, `${words}: ${stderr}`);
      assert.match(stderr, / \(set ROLLCALL_ADMIN_TOKEN, or run this as the user of `rollcall up`/, words);
      assert.equal(stdout, '', words);
    }
  });

test('without a token reads on this machine are answered, other commands are refused with the remedy', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('n1');
  const env = { ROLLCALL_ADMIN_TOKEN: '', ROLLCALL_STATE_DIR: '/none' };
  for (const words of ALL) {
    const { code, stdout, stderr } = await cluster.run(words, { env });
    assert.match(stderr, /^note: ROLLCALL_ADMIN_TOKEN is set but empty: the token of the state directory is used/);
    const isRead = READERS.includes(words);
    assert.equal(code, isRead ? 0 : 1, `${words}: ${stderr}`);
    if (isRead) continue;
    assert.equal(stdout, '', words);
    assert.match(stderr, /\(\/none has no admin token that this user can read: set ROLLCALL_ADMIN_TOKEN/, words);
  }
});

test('a text that cannot be a token is refused with exit 2 before it is sent', async (t) => {
  const cluster = await startCluster(t);
  for (const token of ['two words', 'x'.repeat(4_097), 'é']) {
    const { code, stderr } = await cluster.run('nodes', { env: { ROLLCALL_ADMIN_TOKEN: token } });
    assert.equal(code, 2, stderr);
    assert.equal(
      stderr,
      'rollcall: ROLLCALL_ADMIN_TOKEN is not a token: write visible ASCII, at most 4096 characters\n',
    );
  }
});

for (const [role, allowed, forbidden] of [
  ['viewer', READERS, [...WRITERS, ...OWNERS]],
  ['operator', READERS, OWNERS],
] as const)
  test(`a token of role ${role} reads; what it may not do is refused with exit 1`, async (t) => {
    const cluster = await startCluster(t);
    await cluster.add('n1');
    await cluster.add('n2');
    const secret = (await cluster.run(`token create ${role} --role ${role}`)).stdout.trim();
    const env = { ROLLCALL_ADMIN_TOKEN: secret };
    for (const words of allowed) assert.equal((await cluster.run(words, { env })).code, 0, words);
    for (const words of forbidden) {
      const { code, stdout, stderr } = await cluster.run(words, { env });
      assert.equal(code, 1, `${words}: ${stderr}`);
      assert.equal(stdout, '', words);
      assert.match(stderr, / \(set ROLLCALL_ADMIN_TOKEN, or run this as the user of /, words);
    }
  });

test('the admin token is also read from a file and from the state directory', async (t) => {
  const cluster = await startCluster(t);
  const { writeFileSync } = await import('node:fs');
  const file = `${cluster.stateDir}/secret`;
  writeFileSync(file, '  admin-token-of-the-test\n', { mode: 0o600 });
  const none = { ROLLCALL_ADMIN_TOKEN: '' };
  const fromFile = await cluster.run('nodes', { env: { ...none, ROLLCALL_ADMIN_TOKEN_FILE: file } });
  assert.equal(fromFile.code, 0, fromFile.stderr);
  writeFileSync(file, '\n');
  const empty = await cluster.run('nodes', { env: { ...none, ROLLCALL_ADMIN_TOKEN_FILE: file } });
  assert.deepEqual([empty.code, empty.stderr], [2, `rollcall: ROLLCALL_ADMIN_TOKEN_FILE: ${file} is empty\n`]);
  writeFileSync(`${cluster.stateDir}/admin-token`, 'admin-token-of-the-test\n', { mode: 0o600 });
  const fromDirectory = await cluster.run('nodes', { env: none });
  assert.equal(fromDirectory.code, 0, fromDirectory.stderr);
});
