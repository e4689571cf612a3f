import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readProxyHeader } from './proxy-header.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
/** A header of version 2: the octets behind the signature, and a block of this length with zeros behind what is given. */
function binary(command: string, family: string, block: string, length = block.length / 2): Buffer {
  return Buffer.from(
    `${SIGNATURE}${command}${family}${length.toString(16).padStart(4, '0')}${block.padEnd(length * 2, '0')}`,
    'hex',
  );
}

const V4 = 'c0000201c63364010400005000'.slice(0, 24);
const V6 = `20010db8${'0'.repeat(23)}1fd00${'0'.repeat(27)}204000050`;
const TLV = '04000a00000000000000000000030004deadbeef';

const GOOD: readonly (readonly [name: string, octets: Buffer, address: string])[] = [
  ['v1 TCP4', Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n'), '192.0.2.1'],
  ['v1 ports 0 and 65535', Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 0 65535\r\n'), '192.0.2.1'],
  ['v1 TCP6', Buffer.from('PROXY TCP6 2001:DB8:0:0::1 fd00::2 56324 443\r\n'), '2001:db8::1'],
  ['v1 mapped', Buffer.from('PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.1 1 2\r\n'), '192.0.2.1'],
  ['v1 UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), ''],
  ['v1 UNKNOWN with more', Buffer.from('PROXY UNKNOWN ffff::1 ::2 1 2\r\n'), ''],
  ['v1 of 107 octets', Buffer.from(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`), ''],
  ['v2 TCP4', binary('21', '11', V4), '192.0.2.1'],
  ['v2 TCP6', binary('21', '21', V6), '2001:db8::1'],
  ['v2 UDP4, of a QUIC front', binary('21', '12', V4), '192.0.2.1'],
  ['v2 mapped', binary('21', '21', `${'0'.repeat(20)}ffffc0000201`, 36), '192.0.2.1'],
  ['v2 with TLVs', binary('21', '11', V4 + TLV), '192.0.2.1'],
  ['v2 with what is no TLV', binary('21', '11', `${V4}ff`), '192.0.2.1'],
  ['v2 of the greatest length', binary('21', '11', V4, 4_096), '192.0.2.1'],
  ['v2 UNIX', binary('21', '31', '', 216), ''],
  ['v2 UNSPEC', binary('21', '00', ''), ''],
  ['v2 UNSPEC with TLVs', binary('21', '00', TLV), ''],
  ['v2 LOCAL', binary('20', '00', ''), ''],
  ['v2 LOCAL with an address', binary('20', '11', V4), ''],
  ['v2 LOCAL of an unknown family', binary('20', 'ff', TLV), ''],
];

for (const [name, octets, address] of GOOD)
  test(`${name} is read, and what follows is left`, () => {
    const whole = { address, length: octets.length };
    assert.deepEqual(readProxyHeader(octets), whole);
    assert.deepEqual(readProxyHeader(Buffer.concat([octets, Buffer.from('PROXY GET / HTTP/1.1\r\n\r\n')])), whole);
    for (let length = 0; length < octets.length; length++)
      assert.equal(readProxyHeader(octets.subarray(0, length)), undefined, `${length} octets`);
  });

const v1 = (line: string): readonly [string, Buffer] => [JSON.stringify(line), Buffer.from(line, 'latin1')];
const BAD: readonly (readonly [name: string, octets: Buffer])[] = [
  ...[
    ...[
      'GET / HTTP/1.1\r\n',
      'PROX ',
      'proxy TCP4',
      ' PROXY',
      '\r\nPROXY',
      'PROXYTCP4 1.1.1.1 2.2.2.2 1 2\r\n',
      '\r\n\r\n\0\r\nQUIX',
    ],
    ...[
      'PROXY \r\n',
      'PROXY\r\n',
      'PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n',
      'PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n',
      'PROXY UNKNOWNX\r\n',
    ],
    ...[
      'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n',
      'PROXY UNKNOWN\n',
      'PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n',
      'PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n',
    ],
    ...[
      'PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n',
      'PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n',
      'PROXY TCP4\t1.1.1.1 2.2.2.2 1 2\r\n',
    ],
    ...['PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n', 'PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n', 'PROXY TCP4 ::1 ::2 1 2\r\n'],
    ...[
      'PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n',
      'PROXY TCP6 [::1] ::2 1 2\r\n',
      'PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n',
      'PROXY TCP6 ::g ::2 1 2\r\n',
    ],
    ...[
      'PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n',
      'PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n',
      'PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n',
    ],
    ...[
      'PROXY TCP4 1.1.1.1 x 1 2\r\n',
      'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\r\n',
      'PROXY UNKNOWN \0\n',
      `PROXY UNKNOWN ${'f'.repeat(92)}\r\n`,
    ],
    `PROXY ${'x'.repeat(101)}`,
  ].map(v1),
  ['v2 of version 1', binary('11', '11', V4)],
  ['v2 of version 3', binary('31', '11', V4)],
  ['v2 with command 2', binary('22', '11', V4)],
  ['v2 with family 4', binary('21', '41', V4)],
  ['v2 with transport 3', binary('21', '13', V4)],
  ['v2 with a family without transport', binary('21', '10', V4)],
  ['v2 with a transport without family', binary('21', '01', V4)],
  ['v2 too short for IPv4', binary('21', '11', V4.slice(2))],
  ['v2 too short for IPv6', binary('21', '21', V4)],
  ['v2 too short for UNIX', binary('21', '31', '', 215)],
  ['v2 that is too long', binary('21', '11', V4, 4_097)],
  ['v2 that is too long, LOCAL, before its block', binary('20', '00', '', 65_535).subarray(0, 16)],
];

for (const [name, octets] of BAD)
  test(`${name} is refused`, () => {
    assert.equal(typeof readProxyHeader(octets), 'string');
    // Refused at some octet, and at each one behind it; never accepted before.
    let isRefused = false;
    for (let length = 0; length <= octets.length; length++) {
      const result = readProxyHeader(octets.subarray(0, length));
      assert.equal(typeof result === 'string' || (result === undefined && !isRefused), true, `${length} octets`);
      isRefused = typeof result === 'string';
    }
  });

test('a connection without a header is refused at its first octet', () => {
  for (const text of ['G', 'p', '\n', '\x16\x03\x01'])
    assert.equal(typeof readProxyHeader(Buffer.from(text)), 'string');
});
