import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChunkedDecoder } from './chunked.ts';

const LIMITS = { maxExtensionBytes: 100, maxTrailerBytes: 100 };

interface Decoded {
  readonly payload: string;
  readonly end: 'done' | 'broken' | 'more';
  readonly rest: string;
}

/** Decodes `text`, passed in pieces that end at `cuts`. */
function decode(text: string, cuts: readonly number[] = []): Decoded {
  const decoder = new ChunkedDecoder(LIMITS);
  const whole = Buffer.from(text, 'latin1');
  let payload = '';
  let from = 0;
  for (const to of [...cuts, whole.length]) {
    const piece = Buffer.from(whole.subarray(from, to));
    const end = decoder.decode(piece, 0, piece.length);
    payload += piece.toString('latin1', decoder.payloadStart, decoder.payloadEnd);
    if (decoder.isBroken) return { payload, end: 'broken', rest: '' };
    if (decoder.isDone) return { payload, end: 'done', rest: whole.toString('latin1', from + end) };
    from = to;
  }
  return { payload, end: 'more', rest: '' };
}

test('chunks are decoded, extensions and trailers are dropped', () => {
  assert.deepEqual(decode('5\r\nhello\r\n1;a=b;c="d\\"\t;"\r\n!\r\n0\r\nX-T: 1\r\n\r\nNEXT'), {
    payload: 'hello!',
    end: 'done',
    rest: 'NEXT',
  });
  assert.equal(decode('A\r\n0123456789\r\n000\r\n\r\n').payload, '0123456789');
});

test('RFC 9112 §7.1: an invalid chunked body is refused', () => {
  for (const text of [
    '\r\n',
    '+5\r\n',
    '-5\r\n',
    ' 5\r\n',
    '0x5\r\n',
    '0_5\r\n',
    'g\r\n',
    '5 \r\n',
    '5\n',
    '5\rh',
    '5;\n',
    '5;\r\n',
    '5;a=\x00\r\n',
    '5;a="\r\n',
    '5;a\x7f\r\n',
    '5 ;a\r\n',
    '00000000000005\r\n',
    '5\r\nhelloXX',
    '5\r\nhello\n',
    '5\r\nhello\r\r',
    '0\r\n\n',
    '0\n\r\n',
    '0\r\nX : 1\r\n',
    '0\r\nX\r\n',
    '0\r\n X: 1\r\n',
    '0\r\nX: a\x01\r\n',
    '0\r\nX: a\n',
    '0\r\nX: a\r\r',
    '0\r\nX: a\r\n\n',
    `0\r\nX: ${'v'.repeat(101)}`,
    `5;a=${'v'.repeat(101)}`,
  ])
    assert.equal(decode(text).end, 'broken', JSON.stringify(text));
});

test('the limit of extensions applies to all chunks of a message together', () => {
  assert.equal(decode(`1;a=${'v'.repeat(40)}\r\nx\r\n`.repeat(2)).end, 'more');
  assert.equal(decode(`1;a=${'v'.repeat(40)}\r\nx\r\n`.repeat(3)).end, 'broken');
});

test('a body in any pieces decodes to the same octets', () => {
  const text = '5;a="b\\"c"\r\nhello\r\n3\r\n\r\n!\r\n0\r\nX-T: 1\r\n\r\nNEXT';
  const whole = decode(text);
  assert.equal(whole.end, 'done');
  for (let a = 0; a <= text.length; a++)
    for (let b = a; b <= text.length; b++) assert.deepEqual(decode(text, [a, b]), whole, `cut at ${a} and ${b}`);
});

test('an encoded body decodes to itself, in any pieces', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 70 })),
      fc.array(fc.nat(500), { maxLength: 8 }),
      (chunks, cuts) => {
        let text = '';
        let payload = '';
        for (const chunk of chunks) {
          const part = Buffer.from(chunk).toString('latin1');
          payload += part;
          text += `${chunk.length.toString(16)}\r\n${part}\r\n`;
        }
        text += '0\r\n\r\n';
        const inside = cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b);
        assert.deepEqual(decode(text, inside), { payload, end: 'done', rest: '' });
      },
    ),
    { seed: 20_261_121, numRuns: 500 },
  );
});
