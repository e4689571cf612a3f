import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { closeFrame, maskedCloseFrame } from './close-frame.ts';
import { FrameBorders } from './frame-borders.ts';

/** One frame; `form` is the number of octets of the extended length. */
function frame(
  opcode: number,
  payload: number,
  isMasked: boolean,
  form = payload < 126 ? 0 : payload < 65_536 ? 2 : 8,
): Buffer {
  const head = Buffer.alloc(2 + form);
  head[0] = opcode;
  head[1] = (isMasked ? 0x80 : 0) | (form === 0 ? payload : form === 2 ? 126 : 127);
  if (form === 2) head.writeUInt16BE(payload, 2);
  if (form === 8) head.writeBigUInt64BE(BigInt(payload), 2);
  return Buffer.concat([head, Buffer.alloc((isMasked ? 4 : 0) + payload, 0x88)]);
}

/** First octets of frames that are valid: text, binary, fragments with and without a compressed begin, ping and pong. */
const OPCODES = [0x81, 0x82, 0xc1, 0x41, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a] as const;
const PAYLOADS = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] as const;

for (const isMasked of [false, true])
  for (const payload of PAYLOADS)
    test(`the border behind ${payload} octets, ${isMasked ? 'masked' : 'not masked'}, is found at every cut`, () => {
      for (const opcode of OPCODES) {
        if (opcode >= 0x88 && opcode < 0xc0 && payload > 125) continue;
        const octets = frame(opcode, payload, isMasked);
        const cuts = octets.length < 300 ? octets.keys() : [1, 2, 3, 9, 10, 13, 14, 15, octets.length - 1];
        for (const cut of cuts) {
          const borders = new FrameBorders(isMasked);
          assert.ok(borders.isAtBorder);
          borders.follow(octets.subarray(0, cut));
          assert.equal(borders.isAtBorder, cut === 0, `opcode ${opcode}, cut at ${cut}`);
          const rest = Buffer.concat([octets.subarray(cut), frame(0x81, 3, isMasked)]);
          assert.equal(borders.follow(rest, 0, true), octets.length - cut);
          assert.ok(borders.isAtBorder && !borders.isLost && !borders.hasClosed);
        }
      }
    });

test('any frames in any chunks: a border exactly behind each frame', () => {
  const frames = fc.array(
    fc.record({
      opcode: fc.constantFrom(...OPCODES),
      payload: fc.oneof(fc.nat({ max: 130 }), fc.constantFrom(65_535, 65_536)),
    }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(
      frames,
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }),
      (list, isMasked, sizes) => {
        const parts = list.map(({ opcode, payload }) =>
          frame(opcode, (opcode & 0x0f) >= 8 ? Math.min(payload, 125) : payload, isMasked),
        );
        const octets = Buffer.concat(parts);
        const expected: number[] = [];
        for (const { length } of parts) expected.push((expected.at(-1) ?? 0) + length);
        const borders = new FrameBorders(isMasked);
        const found: number[] = [];
        for (let start = 0, i = 0; start < octets.length; i++) {
          const chunk = octets.subarray(start, start + sizes[i % sizes.length]!);
          for (let at = 0; at < chunk.length; ) {
            at = borders.follow(chunk, at, true);
            if (borders.isAtBorder) found.push(start + at);
          }
          start += chunk.length;
        }
        assert.deepEqual(found, expected);
      },
    ),
  );
});

const LENGTH_OVER_2_53 = Buffer.from([0x82, 127, 0, 0x20, 0, 0, 0, 0, 0, 0]);
const NO_FRAMES: readonly { readonly name: string; readonly octets: Buffer; readonly isMasked?: boolean }[] = [
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({
    name: `opcode ${opcode}`,
    octets: frame(0x80 | opcode, 5, false),
  })),
  { name: 'a masked frame of a node', octets: frame(0x81, 5, true) },
  { name: 'a frame of a client without a mask', octets: frame(0x81, 5, false), isMasked: true },
  { name: 'a fragmented ping', octets: frame(0x09, 5, false) },
  { name: 'a fragmented close', octets: frame(0x08, 2, false) },
  { name: 'a ping of 126 octets', octets: frame(0x89, 126, false) },
  { name: 'a length above 2^53', octets: LENGTH_OVER_2_53 },
  { name: 'a length of 2^64 - 1', octets: Buffer.from([0x82, 127, ...new Array<number>(8).fill(255)]) },
  { name: 'text', octets: Buffer.from('so am I') },
];

for (const { name, octets, isMasked = false } of NO_FRAMES)
  test(`after ${name} no further border is reported`, () => {
    for (const size of [1, octets.length]) {
      const borders = new FrameBorders(isMasked);
      borders.follow(frame(0x82, 10, isMasked));
      for (let at = 0; at < octets.length; at += size) borders.follow(octets.subarray(at, at + size));
      for (let i = 0; i < 3; i++) {
        assert.ok(borders.isLost && !borders.isAtBorder && !borders.hasClosed);
        const more = frame(0x81, 0, isMasked);
        assert.equal(borders.follow(more, 0, true), more.length);
      }
    }
  });

test('a longer form of the length than needed, and the longest length, keep the borders', () => {
  const borders = new FrameBorders(false);
  borders.follow(Buffer.concat([frame(0x82, 5, false, 2), frame(0x82, 5, false, 8)]));
  assert.ok(borders.isAtBorder);
  borders.follow(Buffer.from([0x82, 127, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0]));
  assert.ok(!borders.isLost && !borders.isAtBorder);
});

for (const [isMasked, close] of [
  [false, closeFrame(1001)],
  [true, maskedCloseFrame(1012, Buffer.from([1, 2, 3, 255]))],
  [false, frame(0x88, 0, false)],
  [true, frame(0x88, 125, true)],
] as const)
  test(`a close frame of ${close.length} octets is the last frame, ${isMasked ? 'masked' : 'not masked'}`, () => {
    for (let cut = 0; cut < close.length; cut++) {
      const borders = new FrameBorders(isMasked);
      borders.follow(close.subarray(0, cut));
      assert.ok(!borders.hasClosed);
      const rest = Buffer.concat([close.subarray(cut), frame(0x81, 3, isMasked)]);
      assert.equal(borders.follow(rest), close.length - cut);
      assert.ok(borders.hasClosed && !borders.isAtBorder && !borders.isLost);
      borders.follow(frame(0x81, 3, isMasked));
      assert.ok(borders.hasClosed && !borders.isAtBorder);
    }
  });

test('the frames of the proxy have their code, masked for nodes', () => {
  for (const code of [1001, 1012] as const) {
    assert.equal(closeFrame(code).readUInt16BE(2), code);
    const mask = Buffer.from([7, 200, 31, 4]);
    const masked = maskedCloseFrame(code, mask);
    assert.deepEqual(masked.subarray(2, 6), mask);
    assert.equal(masked.readUInt16BE(6) ^ mask.readUInt16BE(0), code);
  }
});
