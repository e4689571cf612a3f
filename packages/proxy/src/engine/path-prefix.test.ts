import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLane } from './lane.fixture.ts';
import { answering, ok } from './raw-node.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

/** The head that the node has received, and the answer of the client, for a request with `fields`. */
async function forwarded(prefix: string, fields: string, isTrusted = false): Promise<[string, string]> {
  let heads: [string, string] = ['', ''];
  const answer = ok('ok', 'location: /login\r\nset-cookie:a=1; path=/\r\nX-A: /\r\n');
  const lane = startLane([answering(() => answer)], isTrusted ? { trustedProxies: ['127.0.0.0/8'] } : {});
  await withLane(lane, async ({ router, nodes, connect }) => {
    router.prefix = prefix;
    const client = await connect();
    const received = await client
      .write(`GET /shop/a%20b?/shop HTTP/1.1\r\nHost: shop.example\r\n${fields}\r\n`)
      .sees('\r\n\r\nok');
    heads = [nodes[0]!.connections[0]!.received, received];
  });
  return heads;
}

test('a prefix is taken off the target and put back on the answer', async () => {
  const [request, answer] = await forwarded('/shop', 'X-Forwarded-Prefix: /forged\r\n');
  assert.match(request, /^GET \/a%20b\?\/shop HTTP\/1\.1\r\n/);
  assert.deepEqual(request.match(/^X-Forwarded-Prefix: .*$/gm), ['X-Forwarded-Prefix: /shop']);
  assert.match(answer, /\r\nlocation: \/shop\/login\r\nset-cookie:a=1; path=\/shop\r\nX-A: \/\r\n/);
});

test('without a prefix nothing changes', async () => {
  const [request, answer] = await forwarded('', 'X-Forwarded-Prefix: /forged\r\n');
  assert.match(request, /^GET \/shop\/a%20b\?\/shop HTTP\/1\.1\r\n/);
  assert.doesNotMatch(request, /X-Forwarded-Prefix/i);
  assert.match(answer, /\r\nlocation: \/login\r\nset-cookie:a=1; path=\/\r\nX-A: \/\r\n/);
});

test('the prefixes of trusted proxies come before the prefix of this one', async () => {
  for (const [prefix, fields, expected] of [
    ['', 'X-Forwarded-Prefix: /outer\r\n', '/outer'],
    ['/shop', '', '/shop'],
    ['/shop', 'X-Forwarded-Prefix: /outer\r\n', '/outer/shop'],
    ['/shop', 'X-Forwarded-Port: 1\r\nx-forwarded-prefix: /a/, /b\r\nX-Forwarded-Prefix: /\r\n', '/a/b/shop'],
  ] as const) {
    const [request] = await forwarded(prefix, fields, true);
    assert.deepEqual(request.match(/^x-forwarded-prefix: .*$/gim), [`X-Forwarded-Prefix: ${expected}`]);
  }
});
