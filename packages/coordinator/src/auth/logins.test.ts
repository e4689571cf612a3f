import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { LOGIN_MS, Logins, type NewLogin } from './logins.ts';

/** Logins that save their text in memory. */
function open(clocks: ManualClocks, loginKey = 'k', text?: string) {
  const kept = { text: text ?? '' };
  const tokens = { loginKey: Buffer.from(loginKey) };
  const save = async (last: string): Promise<void> => {
    kept.text = last;
  };
  return { logins: new Logins({ tokens, clocks, save }, text), kept, tokens };
}

async function logIn(logins: Logins): Promise<NewLogin> {
  const made = await logins.redeem(logins.newCode(), '127.0.0.1', 'Browser/1\n');
  assert.ok(made);
  return made;
}

test('a login code is valid once and for an hour, a login for twelve hours, also after a restart', async () => {
  const clocks = new ManualClocks();
  const { logins, kept } = open(clocks);
  const late = logins.newCode();
  const code = logins.newCode();
  const made = await logins.redeem(code, '10.0.0.7', 'Browser/1');
  assert.ok(made && logins.find(made.cookie)?.id === made.login.id);
  assert.equal(await logins.redeem(code, '10.0.0.7', ''), undefined);
  const restarted = open(clocks, 'k', kept.text).logins;
  const found = restarted.find(made.cookie);
  assert.ok(found && restarted.isPageKey(found, made.pageKey));
  clocks.advance(3_600_001);
  assert.equal(await logins.redeem(late, '10.0.0.7', ''), undefined);
  clocks.advance(LOGIN_MS - 3_600_002);
  assert.ok(restarted.find(made.cookie));
  clocks.advance(1);
  assert.equal(restarted.find(made.cookie), undefined);
  assert.deepEqual(restarted.list(), []);
});

test('the saved text contains neither a cookie nor a page key', async () => {
  const { logins, kept } = open(new ManualClocks());
  const { cookie, pageKey } = await logIn(logins);
  assert.ok(kept.text.includes('cookieSha256'));
  assert.ok(!kept.text.includes(cookie.split('.')[1]!) && !kept.text.includes(pageKey));
});

test('an altered cookie and a page key of another login are invalid', async () => {
  const { logins } = open(new ManualClocks());
  const one = await logIn(logins);
  const other = await logIn(logins);
  const mixed = `${one.login.id}.${other.cookie.split('.')[1]}`;
  for (const forged of [mixed, one.cookie.slice(0, -1), `${one.cookie}x`, one.login.id, '', '.', 'x'.repeat(1_000)])
    assert.equal(logins.find(forged), undefined, forged);
  for (const wrong of [other.pageKey, '', undefined, [one.pageKey], 'x'.repeat(1_000)])
    assert.ok(!logins.isPageKey(one.login, wrong));
});

test('another admin token ends all logins, also at a later start', async () => {
  const clocks = new ManualClocks();
  const { logins, kept, tokens } = open(clocks);
  const { cookie } = await logIn(logins);
  assert.equal(open(clocks, 'another', kept.text).logins.find(cookie), undefined);
  tokens.loginKey = Buffer.from('another');
  assert.equal(logins.find(cookie), undefined);
  assert.deepEqual(logins.list(), []);
});

test('a login that was ended stays ended after a restart', async () => {
  const clocks = new ManualClocks();
  const { logins, kept } = open(clocks);
  const { cookie, login } = await logIn(logins);
  const { login: other } = await logIn(logins);
  assert.deepEqual(
    logins.list(login.id).map(({ id, isCurrent, agent }) => [id, isCurrent, agent]),
    [
      [other.id, false, 'Browser/1'],
      [login.id, true, 'Browser/1'],
    ],
  );
  assert.equal((await logins.end(login.id))?.id, login.id);
  assert.equal(await logins.end(login.id), undefined);
  const restarted = open(clocks, 'k', kept.text).logins;
  assert.equal(restarted.find(cookie), undefined);
  assert.deepEqual(
    restarted.list().map(({ id }) => id),
    [other.id],
  );
});

test('at most a hundred logins are kept; the oldest ends first', async () => {
  const { logins } = open(new ManualClocks());
  const first = await logIn(logins);
  const second = await logIn(logins);
  for (let count = 2; count < 101; count++) await logIn(logins);
  assert.equal(logins.list().length, 100);
  assert.equal(logins.find(first.cookie), undefined);
  assert.ok(logins.find(second.cookie));
});

test('a file that cannot be parsed counts as empty', () => {
  for (const text of ['', '{', '[]', '{"version":2}', '{"version":1,"key":"k","logins":[{}]}'])
    assert.deepEqual(open(new ManualClocks(), 'k', text).logins.list(), []);
});
