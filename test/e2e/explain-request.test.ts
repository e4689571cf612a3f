import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Site } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

test('the id on an error page leads an operator to the decision for that request', async (t) => {
  const site = await Site.start(t, { flags: [] });
  await site.addNode('a', { balancer: 'shop' }, (request, response) => {
    if (request.url?.startsWith('/cut')) request.socket.destroy();
    else response.end('a');
  });
  const visitor = new Visitor(site.proxyPort);
  await visitor.get('/cart');
  const { status, body, headers } = await visitor.get('/cut?token=secret');
  assert.equal(status, 502);
  const id = String(headers['x-request-id']);
  assert.ok(body.includes(id));
  const { code, stdout } = await site.cli('explain', '--request', id);
  assert.equal(code, 0);
  assert.match(stdout, /^\S+Z {2}GET site\.test\/cut\n/);
  assert.match(stdout, / {2}its session was found in cookie rc_route_\w+\n/);
  assert.match(stdout, / {2}sent to a: connection closed .* after [\d.]+ ms\n/);
  assert.match(
    stdout,
    / {2}in the end no node was chosen: a refused its request and answers probes\n {2}answered with 502, [\d.]+ ms/,
  );
  assert.doesNotMatch(stdout, /secret/);
  const missing = await site.cli('explain', '--request', 'no-such-request');
  assert.equal(missing.code, 1);
  assert.match(
    missing.stderr,
    /no worker of this coordinator keeps request no-such-request: worker \S+ keeps 2 requests/,
  );
});
