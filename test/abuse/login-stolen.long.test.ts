/**
 * A login stolen through the site. The operator's browser sends its cookies to every port of the host, also to nodes behind the
 * proxy.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { type TestContext, test } from 'node:test';
import { isProbe, Site, until } from '../site/site.ts';

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

function ask(url: string, headers: http.OutgoingHttpHeaders = {}, method = 'GET', body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    http
      .request(url, { method, headers, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      })
      .once('error', reject)
      .end(body);
  });
}

/** A site, and the login that the operator's browser has there. */
async function siteWithLogin(t: TestContext) {
  const site = await Site.start(t, { flags: ['--store', 'memory'] });
  let link = '';
  await until(async () => {
    link = (await site.cli('logins', '--link')).stdout.trim();
    return link !== '';
  }, 'there is no login link');
  const { headers, text, status } = await ask(link);
  assert.equal(status, 200, text);
  const cookie = headers['set-cookie']![0]!.split(';')[0]!;
  const pageKey = /content="([\w-]{22,})"/.exec(text)![1]!;
  return { site, cookie, pageKey };
}

test('C54: a node on the site neither sees the login cookie nor can set one', { timeout: 300_000 }, async (t) => {
  const { site, cookie } = await siteWithLogin(t);
  const seen: string[] = [];
  await site.addNode('spy', { balancer: 'shop' }, (request, response) => {
    if (!isProbe(request)) seen.push(JSON.stringify(request.rawHeaders));
    response.setHeader('set-cookie', [`${cookie.split('=')[0]}=planted; Path=/`, 'own=1; Path=/']);
    response.end('ok');
  });
  const url = `http://127.0.0.1:${site.proxyPort}/`;
  const answers = [
    await ask(url, { cookie }),
    await ask(url, { cookie: `a=1; ${cookie}; b=2` }),
    await ask(url, { cookie: [`a=1`, cookie] }),
    await ask(`${url}post`, { cookie: `${cookie}; a=1` }, 'POST', 'body'),
  ];
  assert.ok(seen.length >= answers.length);
  assert.ok(!seen.join().includes('rollcall_login'), seen.join('\n'));
  assert.ok(seen.some((head) => head.includes('"a=1; b=2"')));
  for (const { status, headers } of answers) {
    assert.equal(status, 200);
    assert.ok(!(headers['set-cookie'] ?? []).join().includes('rollcall_login'));
    assert.ok((headers['set-cookie'] ?? []).includes('own=1; Path=/'));
  }
});

test('C54: the login cookie alone does nothing, whatever Origin and Host it comes with', {
  timeout: 300_000,
}, async (t) => {
  const { site, cookie, pageKey } = await siteWithLogin(t);
  await site.addNode('n1', { balancer: 'shop' }, (_, response) => response.end('ok'));
  const { controlUrl } = site;
  const json = { 'content-type': 'application/json', origin: controlUrl };
  const acts: readonly (readonly [method: string, path: string, body?: string])[] = [
    ['POST', '/v1/nodes/n1/drain', '{}'],
    ['POST', '/v1/nodes/n1/stop', '{}'],
    ['PATCH', '/v1/nodes/n1', '{"weight":0}'],
    ['DELETE', '/v1/nodes/n1'],
    ['POST', '/v1/login-link', '{}'],
    ['POST', '/v1/reload', '{}'],
    ['POST', '/v1/rotate', '{}'],
    ['PATCH', '/v1/balancers/shop', '{"retries":0}'],
    ['GET', '/v1/logins'],
  ];
  for (const [method, path, body] of acts)
    for (const extra of [{}, { 'rollcall-page-key': 'guessed' }, { 'rollcall-page-key': cookie.split('=')[1]! }]) {
      const { status, text } = await ask(controlUrl + path, { ...json, ...extra, cookie }, method, body);
      assert.equal(status, 401, `${method} ${path}: ${status} ${text}`);
    }
  // Only the data that any local process may read without a login stays readable.
  const far = { cookie, 'x-forwarded-for': '10.0.0.9' };
  for (const path of ['/v1/nodes', '/v1/events', '/v1/status', '/metrics', '/openapi.json'])
    assert.equal((await ask(controlUrl + path, far)).status, 401, path);
  assert.equal((await site.node('n1'))?.status, 'enabled');
  const drain = `${controlUrl}/v1/nodes/n1/drain`;
  assert.equal(
    (await ask(drain, { ...json, cookie, 'rollcall-page-key': pageKey }, 'POST', '{"force":true}')).status,
    200,
  );
});

test('a login ends by logout, by an administrator and not by a killed control process', {
  timeout: 300_000,
}, async (t) => {
  const { site, cookie, pageKey } = await siteWithLogin(t);
  const own = { cookie, 'rollcall-page-key': pageKey, origin: site.controlUrl, 'content-type': 'application/json' };
  const status = async (): Promise<number> => (await ask(`${site.controlUrl}/v1/logins`, own)).status;
  assert.equal(await status(), 200);
  await site.killControl();
  assert.equal(await status(), 200);
  const { body } = await site.admin<{ logins: { id: string }[] }>('GET', '/v1/logins');
  const [{ id }] = body.logins as [{ id: string }];
  // A command has a time limit of 5 s, which a slow machine may exceed.
  await until(async () => (await site.cli('logins')).stdout.includes(id), 'the login is not listed');
  const foreseen = await site.cli('logins', '--end', id, '--dry-run');
  assert.match(foreseen.stdout, new RegExp(`^would end login ${id} of `), foreseen.stderr);
  assert.ok((await site.cli('logins')).stdout.includes(id), 'the dry run has ended it');
  await site.cli('logins', '--end', id);
  await until(async () => (await status()) === 401, 'the login has not ended');
  await until(
    async () => (await site.cli('logins', '--end', id)).stderr.includes('there is no login'),
    'a login that has ended is not unknown',
  );
});
