import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ajpText, bodyRequest, chunkPacket, endPacket, headPacket, PONG, packet } from '../testing/ajp-node.ts';
import { PacketReader } from './packet-reader.ts';
import { responseHead } from './response-head.ts';

/** Runs of the property; more for a long search. */
const RUNS = Number(process.env['AJP_FUZZ_RUNS'] ?? 3_000);

/** Events of `pieces`, read one after the other. Neighbouring parts of a body are joined. */
function eventsOf(pieces: readonly Buffer[]): string[] {
  const reader = new PacketReader();
  const events: string[] = [];
  let body = '';
  const add = (event: string): void => {
    if (body !== '') events.push(`body ${body}`);
    body = '';
    if (event !== '') events.push(event);
  };
  for (const octets of pieces) {
    let at = 0;
    while (at < octets.length) {
      const found = reader.read(octets, at);
      assert.ok(reader.at >= at && reader.at <= octets.length, `read up to ${reader.at} of ${octets.length}`);
      at = reader.at;
      if (found === 'more') assert.equal(at, octets.length);
      else if (found === 'body') {
        assert.ok(reader.bodyStart < reader.bodyEnd && reader.bodyEnd <= octets.length);
        body += octets.toString('latin1', reader.bodyStart, reader.bodyEnd);
      } else if (found === 'head') {
        const head = responseHead(reader.packet);
        add(typeof head === 'string' ? `no head: ${head}` : head.toString('latin1'));
      } else if (found === 'body-request') add(`wants ${reader.wanted}`);
      else if (found === 'end') add(`end ${reader.mayReuse}`);
      else if (found === 'pong') add('pong');
      else {
        add(`broken: ${reader.why}`);
        return events;
      }
    }
  }
  add('');
  return events;
}

const WHOLE = [
  PONG,
  bodyRequest(8_186),
  headPacket(200, [
    [0xa001, 'text/html'],
    ['X-Own', 'v\xe9'],
    [0xa007, 'a=b'],
    [0xa007, 'c=d'],
  ]),
  chunkPacket('hello '),
  chunkPacket(''),
  chunkPacket('world', ''),
  endPacket(),
  PONG,
];
const EVENTS = [
  'pong',
  'wants 8186',
  'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Own: v\xe9\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n',
  'body hello world',
  'end true',
  'pong',
];

test('packets are read in any segmentation', () => {
  const all = Buffer.concat(WHOLE);
  assert.deepEqual(eventsOf([all]), EVENTS);
  assert.deepEqual(eventsOf([...all].map((octet) => Buffer.from([octet]))), EVENTS);
  for (let cut = 1; cut < all.length; cut++)
    assert.deepEqual(eventsOf([all.subarray(0, cut), all.subarray(cut)]), EVENTS, `cut at ${cut}`);
});

test('the largest packets are read', () => {
  const text = 'x'.repeat(0xffff - 4);
  assert.deepEqual(eventsOf([chunkPacket(text)]), [`body ${text}`]);
  const [head = ''] = eventsOf([headPacket(200, [['a', 'v'.repeat(65_000)]])]);
  assert.equal(head.length, 'HTTP/1.1 200 OK\r\na: \r\n\r\n'.length + 65_000);
});

test('the reason is that of the status unless the node has a better one', () => {
  const reason = (status: number, message: string): string => eventsOf([headPacket(status, [], message)])[0]!;
  assert.equal(reason(404, ''), 'HTTP/1.1 404 Not Found\r\n\r\n');
  assert.equal(reason(404, '404'), 'HTTP/1.1 404 Not Found\r\n\r\n');
  assert.equal(reason(404, 'Gone away'), 'HTTP/1.1 404 Gone away\r\n\r\n');
  assert.equal(reason(404, 'a\r\nX: y'), 'HTTP/1.1 404 Not Found\r\n\r\n');
  assert.equal(reason(299, ''), 'HTTP/1.1 299 \r\n\r\n');
});

test('a transfer coding of the program is dropped: AJP has a framing of its own', () => {
  assert.deepEqual(eventsOf([headPacket(200, [['Transfer-Encoding', 'chunked']])]), ['HTTP/1.1 200 OK\r\n\r\n']);
});

const head = (octets: Buffer): string[] => eventsOf([packet(Buffer.concat([Buffer.from([4]), octets]))]);

const BROKEN: readonly (readonly [name: string, octets: Buffer, event: RegExp])[] = [
  ['an answer in HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n'), /^broken: a packet without the magic/],
  ['one wrong octet', Buffer.from('X'), /^broken: a packet without the magic/],
  ['half a magic', Buffer.from('AC\0\x01\x09'), /^broken: a packet without the magic/],
  ['the magic of a proxy', Buffer.from([0x12, 0x34, 0, 1, 10]), /^broken: a packet without the magic/],
  ['an unknown code', packet(Buffer.from([7])), /^broken: a packet with the code 7/],
  ['an empty packet', Buffer.from([0x41, 0x42, 0, 0, 9]), /^broken: .* of 0 octets/],
  ['a long CPONG', packet(Buffer.from([9, 0])), /^broken/],
  ['a short end', packet(Buffer.from([5]), 1), /^broken/],
  ['a long end', packet(Buffer.from([5, 1, 0])), /^broken/],
  ['a short request for a body', packet(Buffer.from([6, 0])), /^broken/],
  ['a request for no octets', bodyRequest(0), /^broken: a request for no octets/],
  ['a chunk without length', packet(Buffer.from([3, 0])), /^broken: a chunk packet of 2/],
  ['a chunk longer than its packet', packet(Buffer.from([3, 0, 5, 1, 2])), /^broken: a chunk of 5/],
  ['octets behind a chunk', packet(Buffer.from([3, 0, 1, 65, 0, 0])), /^broken: a chunk of 1/],
  ['a head of six octets', packet(Buffer.alloc(6, 4)), /^broken/],
];
for (const [name, octets, event] of BROKEN)
  test(`not valid: ${name}`, () => {
    for (const pieces of [[octets], [...octets].map((octet) => Buffer.from([octet]))]) {
      const events = eventsOf(pieces);
      assert.equal(events.length, 1);
      assert.match(events[0]!, event);
    }
  });

test('a head that is not valid has a reason', () => {
  const ok = Buffer.from([0, 200]);
  const one = Buffer.from([0, 1]);
  assert.match(head(Buffer.concat([Buffer.from([0, 99]), ajpText('a'), Buffer.from([0, 0])]))[0]!, /the status 99/);
  assert.match(head(Buffer.concat([Buffer.from([2, 88]), ajpText('a'), Buffer.from([0, 0])]))[0]!, /the status 600/);
  for (const rest of [
    Buffer.concat([one]),
    Buffer.concat([one, ajpText('name')]),
    Buffer.concat([one, ajpText('name'), Buffer.from([0, 9, 65, 0])]),
    Buffer.concat([one, ajpText('name'), Buffer.from([0, 1, 65, 65])]),
    Buffer.concat([one, Buffer.from([0xa0, 0x0c]), ajpText('v')]),
    Buffer.concat([one, Buffer.from([0xa0, 0x00]), ajpText('v')]),
    Buffer.concat([one, Buffer.from([0xff, 0xff]), ajpText('v')]),
  ])
    assert.match(head(Buffer.concat([ok, ajpText(''), rest]))[0]!, /too short, or has an unknown field/);
  assert.match(head(Buffer.concat([ok, Buffer.from([0xff, 0xff, 0, 0, 0])]))[0]!, /octets behind the head/);
  assert.match(head(Buffer.concat([ok, ajpText(''), Buffer.from([0, 0, 0])]))[0]!, /octets behind the head/);
  for (const name of ['', 'a b', 'a:', 'a\r\nb'])
    assert.match(eventsOf([headPacket(200, [[name, 'v']])])[0]!, /without a valid name/);
  for (const value of ['a\r\nX: y', 'a\nb', 'a\0b'])
    assert.match(eventsOf([headPacket(200, [['name', value]])])[0]!, /a control character/);
});

test('mutated packets in any segmentation never throw, are never read beyond their end, and end in the same way', () => {
  const all = Buffer.concat(WHOLE);
  const edit = fc.record({ at: fc.nat(all.length - 1), octet: fc.nat(255), kind: fc.nat(2) });
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 4 }), fc.array(fc.nat(all.length), { maxLength: 6 }), (edits, cuts) => {
      let octets = Buffer.from(all);
      for (const { at, octet, kind } of edits)
        if (kind === 0) octets[at % octets.length] = octet;
        else if (kind === 1)
          octets = Buffer.concat([octets.subarray(0, at), Buffer.from([octet]), octets.subarray(at)]);
        else octets = Buffer.concat([octets.subarray(0, at), octets.subarray(at + 1)]);
      const borders = [0, ...cuts.map((cut) => Math.min(cut, octets.length)).sort((a, b) => a - b), octets.length];
      const pieces = borders.slice(1).map((end, i) => octets.subarray(borders[i], end));
      assert.deepEqual(eventsOf(pieces), eventsOf([octets]));
    }),
    { numRuns: RUNS },
  );
});

test('random octets never throw and are never read beyond their end', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), fc.boolean(), (pieces, hasMagic) => {
      eventsOf([Buffer.from(hasMagic ? 'AB' : ''), ...pieces.map((piece) => Buffer.from(piece))]);
    }),
    { numRuns: RUNS },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => {
      responseHead(Buffer.from([4, 0, 200, ...octets]));
      responseHead(Buffer.from(octets));
    }),
    { numRuns: RUNS },
  );
});
