import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeId, parseRoute } from '@rollcall/protocol';
import type { AccessEntry } from '../engine/access-entry.ts';
import { accessLine } from './access-line.ts';

const AT_MS = Date.UTC(2026, 10, 21, 7, 38, 9, 123);

function entry(differs: Partial<AccessEntry> = {}): AccessEntry {
  return {
    client: '192.0.2.7',
    method: 'GET',
    host: 'shop.example',
    target: '/cart?item=7',
    userAgent: 'Mozilla/5.0',
    referer: 'http://shop.example/',
    isHttp10: false,
    status: 200,
    bytesOut: 512,
    requestId: 'abc-1',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    balancer: 'shop:/',
    sessionParameters: ['jsessionid', '_s'],
    stickyResult: 'sticky',
    node: parseNodeId('shop-1'),
    route: parseRoute('first'),
    attempts: 2,
    upstreamMs: 1.23456,
    totalMs: 2.5,
    ...differs,
  };
}

test('combined is the format of Apache', () => {
  assert.equal(
    accessLine(entry(), 'combined', AT_MS),
    '192.0.2.7 - - [21/Nov/2026:07:38:09 +0000] "GET /cart?item=7 HTTP/1.1" 200 512 "http://shop.example/" "Mozilla/5.0"\n',
  );
});

test('json contains node, route, sticky result, retries and times', () => {
  assert.deepEqual(JSON.parse(accessLine(entry(), 'json', AT_MS)), {
    time: '2026-11-21T07:38:09.123Z',
    client: '192.0.2.7',
    method: 'GET',
    host: 'shop.example',
    target: '/cart?item=7',
    userAgent: 'Mozilla/5.0',
    referer: 'http://shop.example/',
    protocol: 'HTTP/1.1',
    status: 200,
    bytes: 512,
    requestId: 'abc-1',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    balancer: 'shop:/',
    sticky: 'sticky',
    node: 'shop-1',
    route: 'first',
    retries: 1,
    upstreamMs: 1.235,
    totalMs: 2.5,
  });
});

test('session ids are masked, in path, query and referer, other parameters are not', () => {
  const line = accessLine(
    entry({
      target: '/a;jsessionid=secret.first/b?x=1&_s=secret2&y_s=2',
      referer: 'http://shop.example/a;jsessionid=secret3?_s=secret4',
    }),
    'combined',
    AT_MS,
  );
  assert.match(line, /"GET \/a;jsessionid=\*\/b\?x=1&_s=\*&y_s=2 HTTP\/1\.1"/);
  assert.match(line, /"http:\/\/shop\.example\/a;jsessionid=\*\?_s=\*"/);
  assert.doesNotMatch(accessLine(entry({ target: '/?_s=secret' }), 'json', AT_MS), /secret/);
});

test('no value ends a line or a quoted text early', () => {
  const line = accessLine(entry({ userAgent: 'a" 200 "b\\\u001b[31m\u00e9' }), 'combined', AT_MS);
  assert.match(line, /"a\\x22 200 \\x22b\\x5c\\x1b\[31m\\xe9"\n$/);
});

test('octets that are not a request are logged as a dash', () => {
  const line = accessLine(
    entry({ method: '', target: '', userAgent: '', referer: '', status: 400 }),
    'combined',
    AT_MS,
  );
  assert.equal(line, '192.0.2.7 - - [21/Nov/2026:07:38:09 +0000] "-" 400 512 "-" "-"\n');
});
