/** Wrong and right tokens: a right one is always admitted, wrong ones are limited per address and in total. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { Gate } from './gate.ts';
import { Logins } from './logins.ts';
import { openTokens } from './tokens.ts';

const JOIN = 'join-secret-of-the-test';

async function open(t: TestContext) {
  const path = await mkdtemp(join(tmpdir(), 'rollcall-gate-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  const clocks = new ManualClocks();
  const tokens = await openTokens(path, { joinToken: JOIN }, clocks);
  const logins = new Logins({ tokens, clocks, save: async () => undefined }, undefined);
  const gate = new Gate({ tokens, logins, clocks, isControlOnLoopback: true, adminAllow: [], controlHosts: [] });
  const admit = (token: string, remoteAddress = '127.0.0.1'): string => {
    const request = { headers: { authorization: `Bearer ${token}` }, socket: { remoteAddress } };
    const result = gate.admitUpgrade(request as unknown as IncomingMessage, 'join');
    return 'code' in result ? result.code : result.name;
  };
  return { admit, clocks, tokens, gate };
}

test('a right token is admitted while wrong ones from the same address get 429', async (t) => {
  const { admit, clocks } = await open(t);
  for (let i = 0; i < 20; i++) assert.equal(admit(`wrong-${i}`), 'unauthenticated');
  for (let i = 0; i < 500; i++) {
    assert.equal(admit(`wrong-${i}`), 'rate-limited');
    assert.equal(admit(JOIN), 'join');
  }
  clocks.advance(2_000);
  assert.deepEqual([admit('wrong'), admit('wrong')], ['unauthenticated', 'rate-limited']);
});

test('all addresses of this machine count as one, as do those of a /64', async (t) => {
  const { admit } = await open(t);
  for (let i = 0; i < 20; i++) assert.equal(admit('wrong', `127.0.0.${i}`), 'unauthenticated');
  assert.deepEqual([admit('wrong', '127.9.9.9'), admit('wrong', '::1')], ['rate-limited', 'rate-limited']);
  for (let i = 0; i < 20; i++) assert.equal(admit('wrong', `2001:db8::${i}`), 'unauthenticated');
  assert.equal(admit('wrong', '2001:db8::ffff:1'), 'rate-limited');
  assert.equal(admit('wrong', '2001:db8:0:1::1'), 'unauthenticated');
});

test('wrong tokens of many addresses are limited together', async (t) => {
  const { admit } = await open(t);
  const answers = Array.from({ length: 300 }, (_, i) => admit('wrong', `10.0.${i >> 8}.${i & 255}`));
  assert.equal(answers.filter((code) => code === 'unauthenticated').length, 200);
  assert.equal(admit(JOIN, '10.9.9.9'), 'join');
});

test('a token that is bound to addresses is refused from others, also after a change of the binding', async (t) => {
  const { admit, tokens, gate } = await open(t);
  const made = tokens.create({ name: 'web', role: 'join', bindings: { addresses: ['10.0.0.0/8'] } });
  assert.ok('secret' in made);
  assert.deepEqual([admit(made.secret, '10.1.1.1'), admit(made.secret, '192.0.2.1')], ['web', 'forbidden']);
  const identity = { name: 'web', role: 'join', by: 'token', token: made.record } as const;
  assert.equal(gate.recheck(identity, undefined)?.code, 'forbidden');
  tokens.change('web', { bindings: {} });
  assert.equal(gate.recheck(identity, undefined), undefined);
  tokens.revoke('web');
  assert.equal(gate.recheck(identity, undefined)?.code, 'unauthenticated');
});
