/** `rollcall protocol-check` against a real coordinator, and against none. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { NodeResource } from '@rollcall/protocol';
import { Site } from '../site/site.ts';
import { idsOf, protocolCheck } from './protocol-check-report.ts';

test('a real coordinator passes every check, its nodes notice nothing, and nothing of the checks is left (C1-C24, C28, C55, C68)', {
  timeout: 180_000,
}, async (t) => {
  const site = await Site.start(t);
  const { code, report } = await protocolCheck(site, site.controlUrl.replace('http', 'ws'));
  assert.deepEqual(idsOf(report, 'failed'), []);
  assert.deepEqual(idsOf(report, 'skipped'), ['upgrade-no-token: the coordinator admits this machine without a token']);
  assert.equal(code, 0);
  const { nodes } = (await site.admin<{ nodes: NodeResource[] }>('GET', '/v1/nodes')).body;
  assert.deepEqual(
    nodes.filter(({ liveness }) => liveness !== 'gone').map(({ id, liveness }) => `${id} ${liveness}`),
    [],
  );
});

test('where the token may not register the nodes of the check it says so, and fails nothing else', async (t) => {
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
  assert.notEqual(code, 0);
  const failed = idsOf(report, 'failed');
  assert.equal(failed.length, 1, failed.join('\n'));
  assert.match(failed[0]!, /^bystander: error forbidden .*needs a token without bindings/);
});

test('what is no coordinator is unreachable, and a wrong address is a usage error', async (t) => {
  const site = await Site.start(t);
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  const none = await site.bareCli('protocol-check', `ws://127.0.0.1:${port}`);
  assert.equal(none.code, 3, none.stderr);
  assert.match(none.stderr, /no coordinator answers at ws:\/\/127\.0\.0\.1/);
  const wrong = await site.bareCli('protocol-check', 'ftp://127.0.0.1');
  assert.equal(wrong.code, 2, wrong.stderr);
});
