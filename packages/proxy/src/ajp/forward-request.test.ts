import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readForwardRequest } from '../testing/ajp-node.ts';
import { ForwardRequestEncoder, type RequestFacts } from './forward-request.ts';

const FACTS: RequestFacts = {
  remoteAddress: '192.0.2.7',
  isSecure: false,
  tls: undefined,
  bodyLength: 0,
  expectsContinue: false,
};

function encode(
  head: string,
  more: { facts?: Partial<RequestFacts>; secret?: string; packetBytes?: number } = {},
): Buffer | undefined {
  const { facts = {}, secret, packetBytes = 8_192 } = more;
  return new ForwardRequestEncoder(packetBytes).encode({ head, facts: { ...FACTS, ...facts }, route: 'n1', secret });
}

function forwarded(head: string, more: Parameters<typeof encode>[1] = {}) {
  const packet = encode(head, more);
  assert.ok(packet !== undefined);
  return readForwardRequest(packet);
}

test('a request has its parts, its fields and the attributes of the proxy', () => {
  const request = forwarded(
    'POST /a/b;c=1?d=%20&e HTTP/1.1\r\nHost: shop.test:8443\r\nX-Own:  v \r\nCookie: a=b\r\nContent-Length: 3\r\n\r\n',
    { secret: 'hidden' },
  );
  assert.deepEqual(request, {
    method: 'POST',
    protocol: 'HTTP/1.1',
    uri: '/a/b;c=1',
    remoteAddress: '192.0.2.7',
    remoteHost: '192.0.2.7',
    server: 'shop.test',
    port: 8443,
    isSsl: false,
    fields: [
      ['host', 'shop.test:8443'],
      ['X-Own', 'v'],
      ['cookie', 'a=b'],
      ['content-length', '3'],
    ],
    attributes: { query_string: 'd=%20&e', jvm_route: 'n1', secret: 'hidden' },
  });
});

test('the facts of TLS are sent for a client that uses it', () => {
  const tls = { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', keyBits: 256 };
  const head = 'GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n';
  const secure = forwarded(head, { facts: { isSecure: true, tls } });
  assert.deepEqual([secure.isSsl, secure.server, secure.port], [true, '[::1]', 443]);
  assert.deepEqual(secure.attributes, {
    jvm_route: 'n1',
    ssl_cipher: tls.cipher,
    ssl_key_size: '256',
    'other AJP_SSL_PROTOCOL': 'TLSv1.3',
  });
  const behindFront = forwarded(head, { facts: { isSecure: true } });
  assert.deepEqual([behindFront.isSsl, behindFront.attributes], [true, { jvm_route: 'n1' }]);
  assert.equal(forwarded(head).port, 80);
});

test('each method arrives, with a code or as text', () => {
  for (const method of ['OPTIONS', 'GET', 'MKACTIVITY', 'PATCH', 'PURGE', 'M-SEARCH'])
    assert.equal(forwarded(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).method, method);
  assert.equal(forwarded('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n').uri, '*');
});

test('a query that is empty is not the same as none', () => {
  assert.equal(forwarded('GET /? HTTP/1.1\r\nHost: a\r\n\r\n').attributes['query_string'], '');
  assert.equal(forwarded('GET / HTTP/1.1\r\nHost: a\r\n\r\n').attributes['query_string'], undefined);
});

test('fields of the connection are not sent', () => {
  const { fields } = forwarded(
    'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  assert.deepEqual(fields, [
    ['host', 'a'],
    ['Transfer-Encoding', 'chunked'],
  ]);
});

test('no field becomes an attribute', () => {
  const names = [
    'AJP_REMOTE_PORT',
    'remote_user',
    'secret',
    'ssl_cert',
    'query_string',
    'jvm_route',
    'AJP_SSL_PROTOCOL',
  ];
  const { attributes, fields } = forwarded(
    `GET / HTTP/1.1\r\nHost: a\r\n${names.map((name) => `${name}: x\r\n`).join('')}\r\n`,
  );
  assert.deepEqual(attributes, { jvm_route: 'n1' });
  assert.deepEqual(
    fields.slice(1),
    names.map((name) => [name, 'x']),
  );
});

test('whatever octets a field has, they stay in this field', () => {
  const octet = fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f);
  const value = fc.array(octet, { maxLength: 300 }).map((codes) => String.fromCharCode(...codes).trim());
  fc.assert(
    fc.property(
      value,
      fc.string({ minLength: 1, maxLength: 40, unit: fc.constantFrom(...'aZ0-_!~') }),
      (text, name) => {
        const request = forwarded(`GET / HTTP/1.1\r\nHost: a\r\nx${name}: ${text}\r\n\r\n`);
        assert.deepEqual(request.fields[1], [`x${name}`, text.replace(/^[ \t]+|[ \t]+$/g, '')]);
        assert.deepEqual(request.attributes, { jvm_route: 'n1' });
      },
    ),
  );
});

test('a request that does not fit into a packet is not encoded, at each size', () => {
  const head = (bytes: number): string => `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(bytes)}\r\n\r\n`;
  for (const packetBytes of [8_192, 65_536]) {
    const fixed = encode(head(0), { packetBytes })!.length;
    assert.equal(encode(head(packetBytes - fixed), { packetBytes })?.length, packetBytes);
    assert.equal(encode(head(packetBytes - fixed + 1), { packetBytes }), undefined);
  }
  const encoder = new ForwardRequestEncoder(8_192);
  const request = { facts: FACTS, route: 'n1', secret: undefined };
  assert.equal(encoder.encode({ head: head(9_000), ...request }), undefined);
  assert.equal(readForwardRequest(encoder.encode({ head: head(10), ...request })!).fields[1]![1], 'x'.repeat(10));
});

test('the name of a field never has the form of a code', () => {
  const head = `GET / HTTP/1.1\r\nHost: a\r\n${'n'.repeat(0xa000)}: x\r\n\r\n`;
  assert.equal(encode(head, { packetBytes: 65_536 }), undefined);
  assert.ok(encode(head.replace('n', ''), { packetBytes: 65_536 }) !== undefined);
});
