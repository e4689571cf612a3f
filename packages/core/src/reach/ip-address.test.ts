import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipOctets, ipRange, isInRange } from './ip-address.ts';

void test('addresses are read in the spellings that sockets report, and in no other', () => {
  assert.deepEqual(ipOctets('10.0.0.255'), [10, 0, 0, 255]);
  for (const same of ['::ffff:127.0.0.1', '[::ffff:7f00:1]', '0:0:0:0:0:ffff:127.0.0.1'])
    assert.deepEqual(ipOctets(same), [127, 0, 0, 1], same);
  assert.deepEqual(ipOctets('fe80::1%eth0.1')?.slice(0, 2), [0xfe, 0x80]);
  assert.deepEqual(ipOctets('1:2:3:4:5:6:7:8'), [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]);
  assert.equal(ipOctets('::')?.length, 16);
  for (const odd of [
    '',
    '2130706433',
    '127.1',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.0.0.01',
    '256.0.0.1',
    '1.2.3.4.5',
    'localhost',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '::12345',
    '::1.2.3',
    '1.2.3.4::',
    '[::1',
    ' 127.0.0.1',
  ])
    assert.equal(ipOctets(odd), undefined, odd);
});

void test('a range contains the addresses that begin with its bits', () => {
  const holds = (range: string, address: string): boolean => isInRange(ipOctets(address)!, ipRange(range)!);
  assert.ok(holds('10.0.0.0/8', '10.255.1.2') && !holds('10.0.0.0/8', '11.0.0.0'));
  assert.ok(holds('172.16.0.0/12', '172.31.255.255') && !holds('172.16.0.0/12', '172.32.0.0'));
  assert.ok(holds('fe80::/10', 'febf::1') && !holds('fe80::/10', 'fec0::1'));
  assert.ok(holds('192.0.2.1', '192.0.2.1') && !holds('192.0.2.1', '192.0.2.2'));
  assert.ok(holds('0.0.0.0/0', '8.8.8.8') && !holds('0.0.0.0/0', '::8'));
  for (const none of ['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1', 'a/8'])
    assert.equal(ipRange(none), undefined, none);
});
