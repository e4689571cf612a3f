import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAddressRange, overlap, parseListenAddress } from './address.ts';

test('two listeners overlap on one port at one address, or where one listens at all addresses', () => {
  const at = (host: string, port: number) => ({ host, port });
  assert.ok(overlap(at('0.0.0.0', 80), at('127.0.0.1', 80)));
  assert.ok(overlap(at('10.0.0.1', 80), at('10.0.0.1', 80)));
  assert.ok(!overlap(at('10.0.0.1', 80), at('127.0.0.1', 80)));
  assert.ok(!overlap(at('0.0.0.0', 80), at('0.0.0.0', 81)));
  assert.ok(!overlap(at('0.0.0.0', 0), at('0.0.0.0', 0)), 'port 0 is a different free port for each listener');
});

test('a range is an address with or without the length of its prefix', () => {
  for (const text of ['10.0.0.0/8', '10.0.0.1', 'fd00::/8', '::1', '0.0.0.0/0']) assert.ok(isAddressRange(text), text);
  for (const text of ['300.1.1.1', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/', '/8', '', 'localhost', '10.0.0.1/8/8'])
    assert.ok(!isAddressRange(text), text);
});

test('a port that is too large is refused with the possible ports', () => {
  for (const text of ['127.0.0.1:99999', ':65536', '[::1]:123456'])
    assert.throws(() => parseListenAddress(text, '--proxy', '0.0.0.0'), {
      message: `--proxy ${text}: the port must be 0 or 1–65535`,
    });
  assert.equal(parseListenAddress(':65535', '--proxy', '0.0.0.0').port, 65_535);
  assert.throws(() => parseListenAddress('nowhere', '--proxy', '0.0.0.0'), /is not HOST:PORT/);
});
