import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyBlocks } from '../engine/body-blocks.ts';
import { RequestBody } from '../engine/request-body.ts';
import { bodyPacketBytes, chunkData, maxBodyBytes, writeBodyStart } from './packets.ts';

test('a body packet has two lengths', () => {
  const packet = Buffer.alloc(bodyPacketBytes(300));
  assert.equal(writeBodyStart(packet, 300), 6);
  assert.deepEqual([...packet.subarray(0, 6)], [0x12, 0x34, 1, 46, 1, 44]);
  assert.equal(bodyPacketBytes(maxBodyBytes(8_192)), 8_192);
  assert.ok(maxBodyBytes(65_536) + 2 <= 0xffff);
});

test('the data of each chunk of the proxy is found', () => {
  const body = new RequestBody({ maxExtensionBytes: 100, maxTrailerBytes: 100 }, new BodyBlocks());
  body.begin(-1);
  let data = '';
  for (const text of ['5\r\nhel', 'lo\r\n', `1F4;x=y\r\n${'x'.repeat(500)}\r\n3\r\nabc\r\n`, '0\r\nT: v\r\n\r\n']) {
    body.read(Buffer.from(text), 0);
    if (body.piece === undefined) continue;
    const { start, end } = chunkData(body.piece.octets);
    data += body.piece.octets.toString('latin1', start, end);
  }
  assert.ok(body.isComplete);
  assert.equal(data, `hello${'x'.repeat(500)}abc`);
});

test('octets that are no chunk are never read beyond their end', () => {
  for (const text of ['', '5', '5\r', '5\r\n', 'ffff\r\nab', '0\r\n\r\n'])
    assert.ok(chunkData(Buffer.from(text)).end <= text.length);
});
