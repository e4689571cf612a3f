import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { type GivenTokens, openTokens } from './tokens.ts';

const JOIN = 'join-secret-of-the-test';
const GIVEN = 'given-secret-of-the-test';

async function directory(t: { after(fn: () => Promise<void>): void }): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rollcall-tokens-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('the first start creates an admin token that only its owner can read, and later starts keep it', async (t) => {
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
    joinToken: 'join-secret-of-the-test',
    feedToken: 'feed-secret-of-the-test',
    adminToken: 'admin-secret-of-the-test',
  });
  const text = await readFile(join(path, 'tokens.json'), 'utf8');
  for (const secret of ['join-secret-of-the-test', 'feed-secret-of-the-test', 'admin-secret-of-the-test'])
    assert.ok(!text.includes(secret));
  assert.deepEqual(
    ['join-secret-of-the-test', 'feed-secret-of-the-test', 'admin-secret-of-the-test'].map(
      (token) => tokens.find(token)?.role,
    ),
    ['join', 'proxy', 'admin'],
  );
  await assert.rejects(stat(join(path, 'admin-token')), /ENOENT/);
});

test('tokens that other programs write to tokens.json are accepted, and a broken file stops the start', async (t) => {
  const path = await directory(t);
  const sha256 = createHash('sha256').update('watcher').digest('hex');
  const file = join(path, 'tokens.json');
  await writeFile(file, JSON.stringify({ version: 1, tokens: [{ name: 'grafana', role: 'viewer', sha256 }] }));
  assert.equal((await openTokens(path, {})).find('watcher')?.name, 'grafana');
  assert.equal((await openTokens(path, {})).find('watcher')?.name, 'grafana');
  for (const broken of ['{', '[]', '{"version":3,"tokens":[]}', '{"version":1,"tokens":[{"name":"a","role":"god"}]}']) {
    await writeFile(file, broken);
    await assert.rejects(openTokens(path, {}), /repair or delete it/, broken);
  }
});

test('a start writes only changed files', async (t) => {
  const path = await directory(t);
  const sha256 = createHash('sha256').update('watcher').digest('hex');
  const more = { name: 'grafana', role: 'viewer', sha256 };
  /** The given tokens of each start, and whether tokens.json is another file afterwards. */
  const starts: readonly (readonly [GivenTokens, boolean])[] = [
    [{}, true],
    [{}, false],
    [{ joinToken: JOIN, feedToken: 'feed' }, false],
    [{ adminToken: 'other-secret-of-the-test' }, true],
    [{ adminToken: 'other-secret-of-the-test' }, false],
    [{}, true],
  ];
  let before: number | undefined;
  for (const [i, [given, isWritten]] of starts.entries()) {
    await openTokens(path, given);
    const { ino } = await stat(join(path, 'tokens.json'));
    assert.equal(ino !== before, isWritten, `start ${i}`);
    before = ino;
  }
  // Other spaces and another order, as in a file written by hand, change nothing.
  const { tokens } = JSON.parse(await readFile(join(path, 'tokens.json'), 'utf8')) as { tokens: object[] };
  const text = JSON.stringify({ version: 2, tokens: [...tokens, more] });
  await writeFile(join(path, 'tokens.json'), text);
  await openTokens(path, {});
  assert.equal(await readFile(join(path, 'tokens.json'), 'utf8'), text);
  assert.deepEqual((await readdir(path)).sort(), ['admin-token', 'tokens.json']);
});

/** Ways to make files unwritable or unreadable. A folder in the place of a file works for root as well. */
const UNUSABLE: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  'the directory is not there': (path) => rm(path, { recursive: true }),
  'the draft of the admin token cannot be made': (path) =>
    mkdir(join(path, 'admin-token.tmp', 'x'), { recursive: true }),
  'the admin token cannot be read': (path) => mkdir(join(path, 'admin-token')),
};
for (const [what, make] of Object.entries(UNUSABLE)) {
  test(`no admin token exists if ${what}; the other tokens work`, async (t) => {
    const path = await directory(t);
    await make(path);
    const tokens = await openTokens(path, { joinToken: JOIN });
    assert.equal(tokens.find(JOIN)?.role, 'join');
    assert.equal(tokens.problems.length, 1);
    assert.match(tokens.problems[0]!, /^There is no admin token in this run: .*ROLLCALL_ADMIN_TOKEN/);
    assert.equal(tokens.unwritten.size, 0);
  });
}

test('a given admin token works although tokens.json cannot be written or read', async (t) => {
  const path = await directory(t);
  await mkdir(join(path, 'tokens.json.tmp', 'x'), { recursive: true });
  const unwritten = await openTokens(path, { adminToken: GIVEN });
  assert.equal(unwritten.find(GIVEN)?.role, 'admin');
  assert.deepEqual([[...unwritten.unwritten.keys()], unwritten.problems], [[join(path, 'tokens.json')], []]);
  await mkdir(join(path, 'tokens.json'));
  const unread = await openTokens(path, { adminToken: GIVEN });
  assert.equal(unread.find(GIVEN)?.role, 'admin');
  assert.match(unread.problems[0]!, /tokens\.json are not in force in this run: EISDIR/);
  assert.equal(unread.isUnread, true);
  const made = unread.create({ name: 'web', role: 'join' });
  assert.match('code' in made ? made.message : 'made', /could not be read at the start and would be overwritten/);
});

const SHORT = 'fifteen-letters';
for (const name of ['joinToken', 'adminToken'] as const) {
  test(`a given ${name} of fewer than 16 characters is refused, one of 16 is not`, async (t) => {
    const path = await directory(t);
    await assert.rejects(openTokens(path, { [name]: SHORT }), /_TOKEN has 15 characters; a token needs 16 or more/);
    assert.ok((await openTokens(path, { [name]: `${SHORT}s` })).find(`${SHORT}s`));
  });
}

/** Tokens with one stored token, `web`, and its secret. */
async function withToken(t: { after(fn: () => Promise<void>): void }, more: object = {}) {
  const path = await directory(t);
  const clocks = new ManualClocks();
  const tokens = await openTokens(path, {}, clocks);
  const made = tokens.create({ name: 'web', role: 'join', ...more });
  assert.ok('secret' in made);
  const save = async (): Promise<void> => {
    for (const [file, text] of tokens.files) await writeFile(file, text);
  };
  return { path, clocks, tokens, secret: made.secret, record: made.record, save };
}

test('a created token has 256 bits, is found by its secret, and survives a restart without the secret in clear', async (t) => {
  const { path, tokens, secret, save } = await withToken(t, {
    bindings: { balancers: ['shop'], nodes: 3 },
    certificate: 'web.example.net',
  });
  assert.ok(Buffer.from(secret, 'base64url').length >= 32);
  assert.equal(tokens.find(secret)?.name, 'web');
  assert.equal(tokens.findByCertificate('web.example.net')?.name, 'web');
  await save();
  const text = await readFile(join(path, 'tokens.json'), 'utf8');
  assert.ok(!text.includes(secret));
  assert.equal((JSON.parse(text) as { version: number }).version, 2);
  const again = await openTokens(path, {});
  assert.deepEqual(again.find(secret), tokens.find(secret));
  assert.equal(again.findByCertificate('web.example.net')?.id, tokens.find(secret)?.id);
});

test('during a rotation both secrets are valid, then the newer only; a second rotation ends the oldest', async (t) => {
  const { tokens, clocks, secret: first } = await withToken(t);
  const shown = tokens.lookUp(first);
  assert.ok('record' in shown);
  const second = tokens.rotate('web', 60_000);
  assert.ok('secret' in second);
  assert.ok(tokens.find(first) && tokens.find(second.secret));
  assert.equal(tokens.standing(shown.record, shown.digest), undefined);
  assert.equal(tokens.nextEndUnixMs(clocks.nowUnixMs()), clocks.nowUnixMs() + 60_000);
  clocks.advance(59_999);
  assert.ok(tokens.find(first));
  clocks.advance(1);
  assert.equal(tokens.find(first), undefined);
  assert.match(tokens.standing(shown.record, shown.digest)?.message ?? '', /secret of the token web was replaced/);
  assert.ok(tokens.find(second.secret));
  const third = tokens.rotate('web', 60_000);
  const fourth = tokens.rotate('web', 60_000);
  assert.ok('secret' in third && 'secret' in fourth);
  assert.deepEqual(
    [second, third, fourth].map(({ secret }) => tokens.find(secret) !== undefined),
    [false, true, true],
  );
  const last = tokens.rotate('web', 0);
  assert.ok('secret' in last && tokens.find(last.secret) && !tokens.find(fourth.secret));
});

test('a rotation of an expired token does not restore an earlier secret', async (t) => {
  const { tokens, clocks, secret: first } = await withToken(t);
  tokens.change('web', { expiresAtMs: clocks.nowUnixMs() + 1_000 });
  clocks.advance(1_000);
  const second = tokens.rotate('web', 60_000);
  assert.ok('secret' in second);
  tokens.change('web', { expiresAtMs: clocks.nowUnixMs() + 60_000 });
  assert.deepEqual([tokens.find(first), tokens.find(second.secret)?.name], [undefined, 'web']);
});

test('a revoked or expired token is invalid, and the fault states which', async (t) => {
  const { path, tokens, clocks, secret, record, save } = await withToken(t);
  const shown = tokens.lookUp(secret);
  assert.ok('record' in shown);
  tokens.change('web', { expiresAtMs: clocks.nowUnixMs() + 1_000 });
  assert.equal(tokens.canJoin, true);
  clocks.advance(1_000);
  assert.match(tokens.standing(record, shown.digest)?.message ?? '', /token web has expired/);
  assert.deepEqual([tokens.find(secret), tokens.canJoin, tokens.isJoinTokenNeeded], [undefined, false, true]);
  assert.deepEqual([...tokens.takeEndedNames()], ['web']);
  tokens.change('web', { expiresAtMs: undefined });
  assert.ok(tokens.find(secret));
  assert.deepEqual([...tokens.takeEndedNames()], []);
  tokens.revoke('web');
  assert.match(tokens.standing(record, shown.digest)?.message ?? '', /token web was revoked/);
  // A revocation does not admit agents without a token, also after a restart.
  assert.deepEqual([tokens.find(secret), tokens.canJoin, tokens.isJoinTokenNeeded], [undefined, false, true]);
  await save();
  assert.equal((await openTokens(path, {})).isJoinTokenNeeded, true);
  assert.deepEqual([...tokens.takeEndedNames()], ['web']);
  // A new token of the same name is another token.
  assert.ok('secret' in tokens.create({ name: 'web', role: 'join' }));
  assert.match(tokens.standing(record, undefined)?.message ?? '', /was revoked/);
});

test('a peer with a certificate is not admitted once the token names another, a peer with the secret is', async (t) => {
  const { tokens, secret, record } = await withToken(t, { certificate: 'a.example.net' });
  const shown = tokens.lookUp(secret);
  assert.ok('record' in shown);
  assert.equal(tokens.standing(record, undefined), undefined);
  tokens.change('web', { certificate: 'b.example.net' });
  assert.match(
    tokens.standing(record, undefined)?.message ?? '',
    /certificate a\.example\.net does not count as the token web any more/,
  );
  assert.equal(tokens.standing(record, shown.digest), undefined);
  assert.equal(tokens.findByCertificate('a.example.net'), undefined);
});

test('taken or reserved names, taken certificates, and given tokens are conflicts', async (t) => {
  const path = await directory(t);
  const tokens = await openTokens(path, { joinToken: JOIN });
  tokens.create({ name: 'web', role: 'join', certificate: 'c' });
  const codes = [
    tokens.create({ name: 'web', role: 'viewer' }),
    tokens.create({ name: 'admin', role: 'admin' }),
    tokens.create({ name: 'loopback', role: 'viewer' }),
    tokens.create({ name: 'join', role: 'join' }),
    tokens.create({ name: 'other', role: 'join', certificate: 'c' }),
    tokens.rotate('admin', 0),
    tokens.revoke('join'),
  ].map((result) => ('code' in result ? result.code : 'made'));
  assert.deepEqual(codes, Array(7).fill('conflict'));
  const unknown = tokens.revoke('other');
  assert.equal('code' in unknown && unknown.code, 'not-found');
});

test('a token for own nodes may join, and does not make tokens mandatory for other agents', async (t) => {
  const tokens = await openTokens(await directory(t), { ownNodeToken: 'own-node-token-of-the-test' });
  assert.equal(tokens.find('own-node-token-of-the-test')?.name, 'join');
  assert.deepEqual([tokens.canJoin, tokens.isJoinTokenNeeded], [false, false]);
  assert.deepEqual(
    tokens.records.map(({ name }) => name),
    ['admin'],
  );
});

test('several secrets of one name in a file of version 1 are one token', async (t) => {
  const path = await directory(t);
  const entry = (secret: string, role = 'join') => ({
    name: 'web',
    role,
    sha256: createHash('sha256').update(secret).digest('hex'),
  });
  const tokens = { version: 1, tokens: [entry('a'), entry('b'), entry('c'), entry('d', 'viewer')] };
  await writeFile(join(path, 'tokens.json'), JSON.stringify(tokens));
  const opened = await openTokens(path, {});
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((secret) => opened.find(secret)?.role),
    ['join', 'join', 'join', 'viewer'],
  );
  opened.revoke('web');
  assert.deepEqual(
    ['a', 'd'].map((secret) => opened.find(secret)),
    [undefined, undefined],
  );
});
