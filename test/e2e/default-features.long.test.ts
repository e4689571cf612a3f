/** `up` without options: all features whose cost the benchmarks measure are on. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

/** Sends octets and returns all of the answer. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = net.connect(port, '127.0.0.1');
    socket.on('data', (octets) => {
      answer += octets.toString();
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', () => undefined);
    socket.write(text);
  });
}

test('without options: sessions, forwarding, counts, retries, limits and timeouts', { timeout: 180_000 }, async (t) => {
  const site = await Site.start(t);
  const seen: http.IncomingHttpHeaders[] = [];
  const nodes = [];
  for (const id of ['first', 'second'])
    nodes.push(
      await site.addNode(id, { balancer: 'shop' }, (request, response) => {
        seen.push(request.headers);
        response.end(id);
      }),
    );
  const metric = async (name: string): Promise<number> =>
    Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\d+)$`, 'm').exec(await site.metrics())?.[1] ?? 0);

  // Timeouts: a head that does not come. Its ten seconds run beside the rest.
  const slow = exchange(site.proxyPort, 'GET / HTTP/1.1\r\nHost');

  // Sticky sessions, and their count.
  const visitor = new Visitor(site.proxyPort, { host: 'shop.example' });
  const home = (await visitor.get('/')).body;
  assert.match(visitor.cookies.join(), /^rc_route_[0-9a-f]{6}=/);
  for (let i = 0; i < 5; i++) assert.equal((await visitor.get('/')).body, home);
  await until(async () => (await site.node(home))?.sessions === 1, 'the session is not counted');

  // Forwarding fields: the client and the proxies.
  const { host, via, ...fields } = seen[0]!;
  assert.equal(host, 'shop.example');
  assert.match(String(via), /^1\.1 rollcall-/);
  assert.equal(fields['x-forwarded-for'], '127.0.0.1');
  assert.equal(fields['x-forwarded-proto'], 'http');
  assert.equal(fields['x-forwarded-host'], 'shop.example');
  assert.match(String(fields['x-request-id']), /./);

  // Counters and the histogram of latencies.
  await until(async () => (await metric('rollcall_requests_total{balancer="shop"}')) === 6, 'requests are not counted');
  assert.equal(await metric('rollcall_responses_total{balancer="shop",class="2xx"}'), 6);
  assert.match(await site.metrics(), /^rollcall_upstream_latency_seconds_count\{balancer="shop"\} 6$/m);
  assert.match(await site.metrics(), /^rollcall_upstream_latency_seconds_bucket\{balancer="shop",le="[\d.]+"\} [1-9]/m);

  // Limits.
  const long = await exchange(site.proxyPort, `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
  assert.match(long, /^HTTP\/1\.1 414 /);
  const many = await exchange(site.proxyPort, `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(101)}\r\n`);
  assert.match(many, /^HTTP\/1\.1 431 /);
  await until(
    async () => (await metric('rollcall_proxy_refusals_total{reason="too-large"}')) === 2,
    'refusals are not counted',
  );

  // Retries: the session's node is gone, nothing fails.
  await nodes.find(({ id }) => id === home)!.stop();
  assert.equal((await visitor.get('/')).status, 200);
  const retried = /^rollcall_retries_total\{balancer="shop",reason="[a-z-]+"\} [1-9]/m;
  await until(async () => retried.test(await site.metrics()), 'the retry is not counted');

  assert.match(await slow, /^HTTP\/1\.1 408 /);
});

test('the pages of the operator are for browsers; programs get what they parse', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-pages-'));
  t.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'sorry.html'), '<h1>Wir kommen gleich zurück</h1>');
  const site = await Site.start(t, { flags: ['--error-page', `503=${join(directory, 'sorry.html')}`] });
  const ask = async (
    accept: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly status: number; readonly type: string; readonly body: string }> => {
    const { status, headers, body } = await new Visitor(site.proxyPort).get('/', { headers: { accept, ...more } });
    return { status, type: headers['content-type'] ?? '', body: Buffer.from(body, 'latin1').toString() };
  };
  assert.deepEqual(await ask('text/html,*/*'), {
    status: 503,
    type: 'text/html; charset=utf-8',
    body: '<h1>Wir kommen gleich zurück</h1>',
  });
  assert.equal(JSON.parse((await ask('application/json')).body).status, 503);
  // No node id and no command for a proxy in front on this machine; cause and remedy for an operator.
  for (const more of [
    { host: 'localhost', 'x-forwarded-for': '10.0.0.7' },
    { host: 'localhost', via: '1.1 front' },
    { host: 'shop.example' },
  ])
    assert.match((await ask('*/*', more)).body, /^503 no server available\nrequest \S+\n$/);
  assert.match(
    (await ask('*/*', { host: 'localhost' })).body,
    /^503 no server available\nno node is up; to do: [^\n]+\nrequest \S+\n$/,
  );
});
