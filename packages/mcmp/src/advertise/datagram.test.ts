/** The datagrams of recordings are built again from their facts, octet by octet. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { datagrams } from '../book/recordings.fixture.ts';
import { type AdvertisedState, datagram, MAX_DATAGRAM_BYTES, saltOf } from './datagram.ts';

const md5 = (octets: Uint8Array): Uint8Array => createHash('md5').update(octets).digest();

function again(recorded: string, key: string | undefined): string {
  const field = (name: string): string => new RegExp(`\r\n${name}: ([^\r]*)`).exec(recorded)?.[1] ?? '';
  const facts = {
    state: Number(recorded.slice(9, 12)) as AdvertisedState,
    date: field('Date'),
    sequence: Number(field('Sequence')),
    server: field('Server'),
    manager: { address: field('X-Manager-Address'), protocol: 'http', host: field('X-Manager-Host') },
  } as const;
  return datagram(facts, saltOf(key, md5), md5);
}

for (const dialect of ['head', 'v13'])
  for (const [name, key] of [
    ['advertise', undefined],
    ['advertise-key', 'secret'],
  ] as const)
    void test(`the datagrams of ${dialect}-${name}, with their digests`, () => {
      const all = datagrams(`${dialect}-${name}`);
      assert.ok(all.length >= 13, `${all.length}`);
      for (const state of ['200 OK', '403 Forbidden', '410 Gone'])
        assert.ok(
          all.some((text) => text.startsWith(`HTTP/1.0 ${state}\r\n`)),
          state,
        );
      for (const recorded of all) assert.equal(again(recorded, key), recorded);
    });

void test('a datagram fits into the buffer of the Java listener, whatever the name of the machine', () => {
  const facts = { state: 200, date: new Date(0).toUTCString(), sequence: 1e9, server: 'x'.repeat(36) } as const;
  const place = { address: `[${'f'.repeat(39)}]:65535`, protocol: 'https' } as const;
  for (const host of ['h', 'h'.repeat(255)]) {
    const text = datagram({ ...facts, manager: { ...place, host } }, saltOf(undefined, md5), md5);
    assert.ok(text.length <= MAX_DATAGRAM_BYTES, `${text.length}`);
    assert.equal(text.includes('X-Manager-Host: h\r\n'), host === 'h');
  }
});
