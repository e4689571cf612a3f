import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicLocation, publicRefresh } from './public-location.ts';

const PUBLIC = 'https://shop.example';

test("the node's own address in every spelling becomes the public one", () => {
  for (const [value, node] of [
    ['http://10.0.0.5:3000/a?b#c', '10.0.0.5:3000'],
    ['HTTP://10.0.0.5:3000/a?b#c', '10.0.0.5:3000'],
    ['https://10.0.0.5:3000/a?b#c', '10.0.0.5:3000'],
    ['//10.0.0.5:3000/a?b#c', '10.0.0.5:3000'],
    ['http://user:secret@10.0.0.5:3000/a?b#c', '10.0.0.5:3000'],
    ['http://App-1.internal/a?b#c', 'app-1.internal:80'],
    ['http://app-1.internal:80/a?b#c', 'app-1.internal:80'],
    ['https://app-1.internal/a?b#c', 'app-1.internal:443'],
    ['//app-1.internal/a?b#c', 'app-1.internal:80'],
    ['//app-1.internal/a?b#c', 'app-1.internal:443'],
    ['http://[fe80::1]:3000/a?b#c', '[fe80::1]:3000'],
    ['http://localhost:3000/a?b#c', '127.0.0.1:3000'],
    ['http://127.0.0.1:3000/a?b#c', 'localhost:3000'],
  ] as const)
    assert.equal(publicLocation(value, node, PUBLIC), `${PUBLIC}/a?b#c`, value);
  assert.equal(publicLocation('http://10.0.0.5:3000', '10.0.0.5:3000', PUBLIC), PUBLIC);
  assert.equal(publicLocation('http://10.0.0.5:3000?x', '10.0.0.5:3000', PUBLIC), `${PUBLIC}?x`);
});

test('what is relative or names another place stays', () => {
  for (const value of [
    '/a',
    'a',
    '?a',
    '',
    '../a',
    'mailto:a@b',
    'ftp://10.0.0.5:3000/',
    'http:/10.0.0.5:3000/',
    'http://10.0.0.5:3001/',
    'http://10.0.0.5/',
    '//10.0.0.5/',
    'http://10.0.0.5:30001/',
    'http://10.0.0.5:3000.evil.example/',
    'http://10.0.0.5:3000@evil.example/',
    'http://x10.0.0.5:3000/',
    'https://evil.example/?to=http://10.0.0.5:3000/',
    'http://localhost:3000/',
    'javascript://10.0.0.5:3000/%0a',
  ])
    assert.equal(publicLocation(value, '10.0.0.5:3000', PUBLIC), value, value);
});

test('Refresh carries its URL behind the seconds', () => {
  const node = '10.0.0.5:3000';
  for (const [value, expected] of [
    ['5; url=http://10.0.0.5:3000/a', `5; url=${PUBLIC}/a`],
    ['0;URL="http://10.0.0.5:3000/a"', `0;URL="${PUBLIC}/a"`],
    ["0, url='http://10.0.0.5:3000/'", `0, url='${PUBLIC}/'`],
    ['5; http://10.0.0.5:3000/a', `5; ${PUBLIC}/a`],
    ["5,'http://10.0.0.5:3000/a'", `5,'${PUBLIC}/a'`],
    ['5 http://10.0.0.5:3000/a', `5 ${PUBLIC}/a`],
    ['5; url = http://10.0.0.5:3000/a', `5; url = ${PUBLIC}/a`],
    ['5; http://other/?url=http://10.0.0.5:3000/', '5; http://other/?url=http://10.0.0.5:3000/'],
    ['5', '5'],
    ['5; url=/a', '5; url=/a'],
    ['5; url=http://other/', '5; url=http://other/'],
  ] as const)
    assert.equal(publicRefresh(value, node, PUBLIC), expected);
});
