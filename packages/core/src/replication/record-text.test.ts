import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeAnnouncement, encodeAnnouncement } from './announcement-text.ts';
import { decodeRecord, decodeVersion, encodeRecord, encodeVersion } from './record-text.ts';
import type { SharedRecord } from './shared-record.ts';
import type { Announcement } from './shared-store.ts';
import { MAX_VERSION_MS } from './version.ts';

const RECORD: SharedRecord = {
  key: 'node/ä',
  version: [MAX_VERSION_MS, 'ff'],
  value: { text: '"\n', none: null },
  remaining: { expires: 5, deadline: -1.5 },
};

test('a record survives its text', () => {
  for (const record of [RECORD, { ...RECORD, value: null, remaining: {} }])
    assert.deepEqual(decodeRecord(record.key, encodeRecord(record)), record);
});

test('texts that are no record are refused, and unknown fields are ignored', () => {
  const good = '{"version":[1,"a"],"value":0,"remaining":{"later":"x"},"more":1}';
  assert.deepEqual(decodeRecord('k', good), { key: 'k', version: [1, 'a'], value: 0, remaining: {} });
  const bad = [
    ...['', 'null', '[]', '5', '{', '{}'],
    good.replace('[1,"a"]', '[0,"a"]'),
    good.replace('[1,"a"]', `[${MAX_VERSION_MS + 1},"a"]`),
    good.replace('[1,"a"]', '[1,"A"]'),
    good.replace('[1,"a"]', '"1 a"'),
    good.replace('"value":0,', ''),
    good.replace('"later":"x"', '"until":"x"'),
    good.replace('{"later":"x"}', 'null'),
    good.replace('"value":0', `"value":"${'x'.repeat(17_000)}"`),
  ];
  for (const text of bad) assert.equal(decodeRecord('k', text), undefined, text.slice(0, 80));
  for (const key of ['', 'k'.repeat(129)]) assert.equal(decodeRecord(key, good), undefined);
});

test('records that exceed a bound are refused with the bound', () => {
  const cases: [Partial<SharedRecord>, RegExp][] = [
    [{ key: 'k'.repeat(129) }, /a key of 129 characters: 1 to 128/],
    [{ key: '' }, /a key of 0 characters/],
    [{ version: [0, 'a'] }, /the version \[0,"a"\], which is none/],
    [{ value: undefined }, /has no value/],
    [{ value: 'x'.repeat(16_383) }, /a value of 16385 characters: at most 16384/],
    [{ remaining: { until: Number.NaN } }, /remaining time that is not a number/],
  ];
  for (const [change, message] of cases)
    assert.throws(
      () => encodeRecord({ ...RECORD, ...change }),
      (error) => error instanceof RangeError && message.test(error.message),
    );
});

test('a version survives its text, and other texts are none', () => {
  for (const version of [[1, '0'] as const, [MAX_VERSION_MS, 'f'.repeat(32)] as const])
    assert.deepEqual(decodeVersion(encodeVersion(version)), version);
  for (const text of [
    '',
    '1',
    '1 ',
    ' 1 a',
    '01 a',
    '0 a',
    '-1 a',
    '1e3 a',
    'nan a',
    '1 g',
    '1 a b',
    `1 ${'a'.repeat(33)}`,
  ])
    assert.equal(decodeVersion(text), undefined, text);
  assert.equal(decodeVersion(`${MAX_VERSION_MS + 1} a`), undefined);
});

test('an announcement survives its text, and other texts are none', () => {
  const announcement: Announcement = {
    coordinator: 'a1',
    name: 'host:8400',
    release: '0.2.0',
    layout: 2,
    counter: 7,
    seen: { epoch: 'e', change: 3 },
  };
  const text = encodeAnnouncement(announcement);
  assert.deepEqual(decodeAnnouncement('a1', text), announcement);
  assert.equal(decodeAnnouncement('b1', text), undefined, 'stored under another id');
  for (const [from, to] of [
    ['"a1"', '"A1"'],
    ['7', '-7'],
    ['7', '1e999'],
    ['"host:8400"', `"${'x'.repeat(129)}"`],
    ['{"epoch":"e","change":3}', 'null'],
    ['{', ''],
  ] as const)
    assert.equal(decodeAnnouncement('a1', text.replace(from, to)), undefined, to);
  for (const name of ['\u001b[2J', 'two\nlines', 'a\u2028b', '\u202edesrever'])
    assert.equal(decodeAnnouncement('a1', JSON.stringify({ ...announcement, name })), undefined, JSON.stringify(name));
  for (const url of [5, '', 'http://a.test', 'ws://a.test/?x', 'ws://a\u001b.test', `ws://a.test/${'x'.repeat(512)}`])
    assert.deepEqual(decodeAnnouncement('a1', JSON.stringify({ ...announcement, url })), announcement, String(url));
  const withUrl = { ...announcement, url: 'ws://10.0.0.2:8400' };
  assert.deepEqual(decodeAnnouncement('a1', encodeAnnouncement(withUrl)), withUrl);
  assert.throws(() => encodeAnnouncement({ ...announcement, name: 'x'.repeat(129) }), RangeError);
});
