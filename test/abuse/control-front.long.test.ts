/** Only a configured proxy in front of the control port is trusted; tokens in clear text are reported. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Site, until } from '../site/site.ts';

interface Answer {
  readonly status: number;
  readonly detail: string;
  readonly cookie: string;
}

async function ask(site: Site, path: string, headers: Record<string, string>, method = 'GET'): Promise<Answer> {
  const answer = await fetch(site.controlUrl + path, { method, headers, redirect: 'manual' });
  const text = await answer.text();
  const detail = answer.status >= 400 ? (JSON.parse(text) as { detail: string }).detail : text;
  return { status: answer.status, detail, cookie: answer.headers.get('set-cookie') ?? '' };
}

function admin(site: Site): { readonly authorization: string } {
  return { authorization: `Bearer ${readFileSync(join(site.stateDir, 'admin-token'), 'utf8').trim()}` };
}

test('the address that a trusted proxy reports decides about --admin-allow, whatever the client has written before it', async (t) => {
  const site = await Site.start(t, { flags: ['--control-trusted-proxy', '127.0.0.1'] });
  const token = admin(site);
  for (const forwarded of ['203.0.113.7', '127.0.0.1, 203.0.113.7', '203.0.113.7:4000']) {
    const answer = await ask(site, '/v1/status', { ...token, 'x-forwarded-for': forwarded });
    assert.equal(answer.status, 403, forwarded);
    assert.match(answer.detail, /^203\.0\.113\.7 may not use the admin API \(--admin-allow adds ranges\)$/);
  }
  const unknown = await ask(site, '/v1/status', { ...token, 'x-forwarded-for': 'unknown' });
  assert.match(unknown.detail, /^this address may not use the admin API/);
  assert.equal((await ask(site, '/v1/status', token)).status, 200);
  // A client of this machine behind a proxy does not have the rights of this machine.
  assert.equal((await ask(site, '/v1/status', { 'x-forwarded-for': '127.0.0.1' })).status, 401);

  const json = { ...token, 'content-type': 'application/json' };
  const link = async (): Promise<string> => {
    const { detail } = await ask(site, '/v1/login-link', json, 'POST');
    const { pathname, search } = new URL((JSON.parse(detail) as { url: string }).url);
    return pathname + search;
  };
  assert.match((await ask(site, await link(), { 'x-forwarded-proto': 'https' })).cookie, /; Secure/);
  assert.doesNotMatch((await ask(site, await link(), {})).cookie, /; Secure/);
});

test('the fields of a client that is not a trusted proxy have no effect', async (t) => {
  const site = await Site.start(t, { flags: ['--control-trusted-proxy', '10.0.0.0/8'] });
  const answer = await ask(site, '/v1/status', { ...admin(site), 'x-forwarded-for': '203.0.113.7' });
  assert.equal(answer.status, 200);
});

test('beyond loopback without TLS, start line, log and status report that tokens pass in clear text', async (t) => {
  const site = await Site.start(t, {
    flags: ['--control', '0.0.0.0:0'],
    environment: { ROLLCALL_JOIN_TOKEN: 'a-join-token-of-the-test' },
  });
  const sentence = /Tokens pass in clear text on 0\.0\.0\.0:\d+: start with --control-cert and --control-key/;
  assert.match((JSON.parse(site.output) as { warnings: string[] }).warnings.join(), sentence);
  await until(() => sentence.test(site.log), 'the log has no such line');
  assert.match((await site.cli('status')).stdout, sentence);
});
