import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addressOf,
  forwardedElement,
  forwardedHops,
  listFromEnd,
  MAX_ELEMENTS,
  readableLines,
  schemeOf,
} from './forwarded-field.ts';

test('an address is read in every form that fronts send', () => {
  const table: readonly (readonly [text: string, address: string])[] = [
    ['192.0.2.43', '192.0.2.43'],
    ['192.0.2.43:47011', '192.0.2.43'],
    ['192.0.2.43:0', '192.0.2.43'],
    ['192.0.2.43:_gazonk', '192.0.2.43'],
    ['"192.0.2.43:80"', '192.0.2.43'],
    ['[192.0.2.43]', ''],
    ['2001:db8::17', '2001:db8::17'],
    ['2001:DB8:0:0::17', '2001:db8::17'],
    ['[2001:db8::17]', '2001:db8::17'],
    ['[2001:DB8::17]:4711', '2001:db8::17'],
    ['"[2001:db8::17]:4711"', '2001:db8::17'],
    ['[2001:db8::17]:_port', '2001:db8::17'],
    ['[fe80::1%eth0]:80', 'fe80::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:192.0.2.43', '192.0.2.43'],
    ['::FFFF:c000:22b', '192.0.2.43'],
    ['[::ffff:192.0.2.43]:80', '192.0.2.43'],
    ['::1', '::1'],
  ];
  for (const [text, address] of table) assert.equal(addressOf(text), address, text);
});

test('what is no address is never read as one', () => {
  for (const text of [
    ...[
      '',
      '-',
      'unknown',
      'UNKNOWN',
      'unknown:80',
      '_hidden',
      '_SEVKISEK:_port',
      'localhost',
      'shop.example:80',
      '10',
    ],
    ...[
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.256',
      '01.2.3.4',
      '1.2.3.4:',
      '1.2.3.4:65536',
      '1.2.3.4:123456',
      '1.2.3.4:8a',
      '1.2.3.4 ',
    ],
    ...[
      '1.2.3.4:80:80',
      '1.2.3.4/8',
      '[2001:db8::1',
      '2001:db8::1]',
      '[]',
      '[]:80',
      '[2001:db8::1]80',
      '[2001:db8::1]:',
      '[::g]',
    ],
    ...[
      '"1.2.3.4',
      '1.2.3.4"',
      '1.2.3.4;5',
      'for=1.2.3.4',
      'http://1.2.3.4',
      '1 .2.3.4',
      `1.2.3.4${' '.repeat(200)}`,
      '0x7f.1',
    ],
    '1:2:3:4:5:6:7:8:80',
  ])
    assert.equal(addressOf(text), '', text);
});

test('schemes are read in any case, and a WebSocket counts as its scheme', () => {
  for (const text of ['https', 'HTTPS', 'Https', 'wss', 'WSS', '"https"']) assert.equal(schemeOf(text), 'https', text);
  for (const text of ['http', 'HTTP', 'ws', 'Ws']) assert.equal(schemeOf(text), 'http', text);
  for (const text of ['', 'on', 'https:', 'ht tps', 'h2', 'httpss', '443']) assert.equal(schemeOf(text), '', text);
});

test('a list is read from its end, without empty elements', () => {
  assert.deepEqual(listFromEnd(' a ,, b,\t,c ,'), ['c', 'b', 'a']);
  for (const text of ['', ',', ' , ,']) assert.deepEqual(listFromEnd(text), [], text);
  assert.deepEqual(listFromEnd(',x'), ['x']);
  assert.equal(listFromEnd('x,'.repeat(10_000)).length, MAX_ELEMENTS);
});

/** Hops as text, the last one first. */
function hops(lines: string): string {
  return forwardedHops(lines)
    .map(({ address, scheme, host }) => [address || '?', scheme, host].filter((part) => part !== '').join(' '))
    .join(' | ');
}

test('Forwarded is read as in RFC 7239, and in the usual forms besides', () => {
  const table: readonly (readonly [lines: string, expected: string])[] = [
    ['for=192.0.2.60;proto=http;by=203.0.113.43', '192.0.2.60 http'],
    ['For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['for=192.0.2.43, for=198.51.100.17', '198.51.100.17 | 192.0.2.43'],
    [
      'for=192.0.2.43,FOR="198.51.100.17";PROTO=HTTPS;Host="shop.example:8080"',
      '198.51.100.17 https shop.example:8080 | 192.0.2.43',
    ],
    ['for=192.0.2.43\nfor="[2001:db8::1]"', '2001:db8::1 | 192.0.2.43'],
    ['for="_gazonk"', '?'],
    ['for=unknown;proto=https', '? https'],
    ['proto=wss', '? https'],
    ['by=_proxy;host=a', '? a'],
    ['for=192.0.2.1 ; proto=https ;', '192.0.2.1 https'],
    [', ,for=192.0.2.1,;,', '? | 192.0.2.1'],
    ['for=2001:db8::1;proto=https', '2001:db8::1 https'],
    ['for=[2001:db8::1]:80', '2001:db8::1'],
    ['for=192.0.2.1:8080', '192.0.2.1'],
    ['for=192.0.2.1;secret="a, for=6.6.6.6; \\"x\\""', '192.0.2.1'],
    ['for="192.0.2\\.1"', '192.0.2.1'],
    ['for=192.0.2.1;ext=', '?'],
    ['for=192.0.2.1;for=192.0.2.2', '?'],
    ['for = 192.0.2.1', '?'],
    ['for=192.0.2.1 proto=https', '?'],
    ['192.0.2.1', '?'],
    ['for=""', '?'],
    // The front has appended its element to an open quotation of the client.
    ['for="6.6.6.6, for=192.0.2.1', '?'],
    ['for="6.6.6.6, for="[2001:db8::1]";proto=https', '?'],
    ['for="6.6.6.6\\, for="[2001:db8::1]";by="[2001:db8::2]"', '?'],
    ['for=6.6.6.6\\", for=192.0.2.1', '?'],
    // Its own line is another matter.
    ['for="6.6.6.6\nfor=192.0.2.1', '192.0.2.1 | ?'],
    [`for=6.6.6.6;x=${'y'.repeat(1_100)}, for=192.0.2.1`, '192.0.2.1 | ?'],
    ['', ''],
  ];
  for (const [lines, expected] of table) assert.equal(hops(lines), expected, lines);
  assert.equal(forwardedHops('for=192.0.2.1,'.repeat(2_000)).length, MAX_ELEMENTS);
  assert.equal(forwardedHops('for=192.0.2.1\n'.repeat(2_000)).length, MAX_ELEMENTS);
  assert.equal(forwardedHops(`for=192.0.2.1,${'\t'.repeat(30_000)}x`).length, 2);
});

test('an element can be appended to readable lines only', () => {
  const table: readonly (readonly [lines: string, expected: string])[] = [
    ['', ''],
    ['for=a, for=b', 'for=a, for=b'],
    ['for=a\nfor=b', 'for=a, for=b'],
    ['for="a\nfor=b\n\nfor=c', 'for=b, for=c'],
    ['for=a\nfor="b', ''],
  ];
  for (const [lines, expected] of table) assert.equal(readableLines(lines), expected, lines);
});

test('an element is written so that it is read again', () => {
  const table = [
    [{ address: '192.0.2.1', scheme: 'https', host: 'shop.example' }, 'for=192.0.2.1;host=shop.example;proto=https'],
    [{ address: '2001:db8::1', scheme: 'http', host: 'a:8080' }, 'for="[2001:db8::1]";host="a:8080";proto=http'],
    [{ address: '::1', scheme: '', host: '' }, 'for="[::1]"'],
    [{ address: '192.0.2.1', scheme: 'http', host: '[::1]:80' }, 'for=192.0.2.1;host="[::1]:80";proto=http'],
  ] as const;
  for (const [hop, text] of table) {
    assert.equal(forwardedElement(hop), text);
    assert.deepEqual(forwardedHops(text), [hop]);
  }
});
