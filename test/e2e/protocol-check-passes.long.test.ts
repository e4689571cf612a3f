/** `rollcall protocol-check` against a real coordinator, and against none. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { NodeResource, StatusResource } from '@rollcall/protocol';
import { Site } from '../site/site.ts';
import { idsOf, protocolCheck } from './protocol-check-report.ts';

test('a real coordinator passes every check, its nodes are not affected, and no trace of the checks is left (C1-C24, C28, C55, C68)', {
  timeout: 180_000,
}, async (t) => {
  const site = await Site.start(t);
  const { code, report } = await protocolCheck(
    site,
    site.controlUrl.replace('http', 'ws'),
    {},
    '--state-dir',
    site.stateDir,
  );
  assert.deepEqual(idsOf(report, 'failed'), []);
  assert.deepEqual(idsOf(report, 'skipped'), ['upgrade-no-token: the coordinator admits this machine without a token']);
  assert.equal(code, 0);
  assert.equal(report.traces, undefined);
  const { nodes } = (await site.admin<{ nodes: NodeResource[] }>('GET', '/v1/nodes?all=true')).body;
  assert.deepEqual(
    nodes.map(({ id, liveness }) => `${id} ${liveness}`),
    [],
  );
  const { remembered, unserved } = await site.json<StatusResource>('status');
  assert.deepEqual([remembered, unserved], [[], []]);
});

test('a token that may not register the nodes of the check is reported, and fails no other check', async (t) => {
  const site = await Site.start(t);
  const created = await site.json<{ secret: string }>(
    'token',
    'create',
    'bound',
    '--role',
    'join',
    '--balancer',
    'shop',
  );
  const { code, report } = await protocolCheck(site, site.controlUrl.replace('http', 'ws'), {
    ROLLCALL_JOIN_TOKEN: created.secret,
  });
  assert.equal(report.traces, undefined);
  assert.notEqual(code, 0);
  const failed = idsOf(report, 'failed');
  assert.equal(failed.length, 1, failed.join('\n'));
  assert.match(failed[0]!, /^bystander: error forbidden .*needs a token without bindings/);
});

test('another server is unreachable, and a wrong address is a usage error', async (t) => {
  const site = await Site.start(t);
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  const none = await site.bareCli('protocol-check', `ws://127.0.0.1:${port}`);
  assert.equal(none.code, 3, none.stderr);
  assert.match(none.stderr, /cannot connect to ws:\/\/127\.0\.0\.1/);
  const page = createServer((_, response) => response.writeHead(404, { server: 'x/1' }).end());
  t.after(() => page.close());
  page.listen(0, '127.0.0.1');
  await once(page, 'listening');
  const foreign = await site.bareCli('protocol-check', `ws://127.0.0.1:${(page.address() as AddressInfo).port}`);
  assert.equal(foreign.code, 3, foreign.stderr);
  assert.match(foreign.stderr, /no coordinator at ws:.*: not a Rollcall port: HTTP 404 from x\/1/);
  // The address of the site in the place of the control port.
  const front = await site.bareCli('protocol-check', `ws://127.0.0.1:${site.proxyPort}`);
  assert.equal(front.code, 3, front.stdout);
  assert.match(front.stderr, /no coordinator at ws:.*: HTTP 503/);
  const wrong = await site.bareCli('protocol-check', 'ftp://127.0.0.1');
  assert.equal(wrong.code, 2, wrong.stderr);
});
