import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type GivenTokens, openTokens } from './tokens.ts';

async function directory(t: { after(fn: () => Promise<void>): void }): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rollcall-tokens-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('the first start makes an admin token that only its owner may read, and later ones keep it', async (t) => {
  const path = await directory(t);
  await openTokens(path, {});
  const token = (await readFile(join(path, 'admin-token'), 'utf8')).trim();
  assert.equal((await stat(join(path, 'admin-token'))).mode & 0o777, 0o600);
  const again = await openTokens(path, {});
  assert.deepEqual([again.find(token)?.name, again.find(token)?.role], ['admin', 'admin']);
  assert.equal(again.find(`${token}x`), undefined);
  assert.equal(again.find(''), undefined);
});

test('tokens.json holds digests and never a token', async (t) => {
  const path = await directory(t);
  const tokens = await openTokens(path, {
    joinToken: 'join-secret',
    feedToken: 'feed-secret',
    adminToken: 'admin-secret',
  });
  const text = await readFile(join(path, 'tokens.json'), 'utf8');
  for (const secret of ['join-secret', 'feed-secret', 'admin-secret']) assert.ok(!text.includes(secret));
  assert.deepEqual(
    ['join-secret', 'feed-secret', 'admin-secret'].map((token) => tokens.find(token)?.role),
    ['join', 'proxy', 'admin'],
  );
  await assert.rejects(stat(join(path, 'admin-token')), /ENOENT/);
});

test('tokens that others put into tokens.json are believed, and a broken file stops the start', async (t) => {
  const path = await directory(t);
  const sha256 = createHash('sha256').update('watcher').digest('hex');
  const file = join(path, 'tokens.json');
  await writeFile(file, JSON.stringify({ version: 1, tokens: [{ name: 'grafana', role: 'viewer', sha256 }] }));
  assert.equal((await openTokens(path, {})).find('watcher')?.name, 'grafana');
  assert.equal((await openTokens(path, {})).find('watcher')?.name, 'grafana');
  for (const broken of ['{', '[]', '{"version":2,"tokens":[]}', '{"version":1,"tokens":[{"name":"a","role":"god"}]}']) {
    await writeFile(file, broken);
    await assert.rejects(openTokens(path, {}), /repair or delete it/, broken);
  }
});

test('a start writes only what has changed', async (t) => {
  const path = await directory(t);
  const sha256 = createHash('sha256').update('watcher').digest('hex');
  const more = { name: 'grafana', role: 'viewer', sha256 };
  /** Starts, by what is given, and whether tokens.json is another file after each. */
  const starts: readonly (readonly [GivenTokens, boolean])[] = [
    [{}, true],
    [{}, false],
    [{ joinToken: 'join', feedToken: 'feed' }, false],
    [{ adminToken: 'other' }, true],
    [{ adminToken: 'other' }, false],
    [{}, true],
  ];
  let before: number | undefined;
  for (const [i, [given, isWritten]] of starts.entries()) {
    await openTokens(path, given);
    const { ino } = await stat(join(path, 'tokens.json'));
    assert.equal(ino !== before, isWritten, `start ${i}`);
    before = ino;
  }
  // Written by hand: other spaces and another order change nothing.
  const { tokens } = JSON.parse(await readFile(join(path, 'tokens.json'), 'utf8')) as { tokens: object[] };
  const text = JSON.stringify({ version: 1, tokens: [...tokens, more] });
  await writeFile(join(path, 'tokens.json'), text);
  await openTokens(path, {});
  assert.equal(await readFile(join(path, 'tokens.json'), 'utf8'), text);
  assert.deepEqual((await readdir(path)).sort(), ['admin-token', 'tokens.json']);
});

/** What keeps files from being written or read. A folder in the place of a file does it for root as well. */
const UNUSABLE: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  'the directory is not there': (path) => rm(path, { recursive: true }),
  'the draft of the admin token cannot be made': (path) =>
    mkdir(join(path, 'admin-token.tmp', 'x'), { recursive: true }),
  'the admin token cannot be read': (path) => mkdir(join(path, 'admin-token')),
};
for (const [what, make] of Object.entries(UNUSABLE)) {
  test(`without an admin token there is none when ${what}; the others work`, async (t) => {
    const path = await directory(t);
    await make(path);
    const tokens = await openTokens(path, { joinToken: 'join' });
    assert.equal(tokens.find('join')?.role, 'join');
    assert.equal(tokens.problems.length, 1);
    assert.match(tokens.problems[0]!, /^There is no admin token in this run: .*ROLLCALL_ADMIN_TOKEN/);
    assert.equal(tokens.unwritten.size, 0);
  });
}

test('an admin token that is handed in works although tokens.json cannot be written or read', async (t) => {
  const path = await directory(t);
  await mkdir(join(path, 'tokens.json.tmp', 'x'), { recursive: true });
  const unwritten = await openTokens(path, { adminToken: 'given' });
  assert.equal(unwritten.find('given')?.role, 'admin');
  assert.deepEqual([[...unwritten.unwritten.keys()], unwritten.problems], [[join(path, 'tokens.json')], []]);
  await mkdir(join(path, 'tokens.json'));
  const unread = await openTokens(path, { adminToken: 'given' });
  assert.equal(unread.find('given')?.role, 'admin');
  assert.match(unread.problems[0]!, /tokens\.json are not in force in this run: EISDIR/);
});
