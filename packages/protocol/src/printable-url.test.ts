import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable, printableUrl } from './printable-url.ts';

test('an address without secrets is printed unchanged', () => {
  for (const text of [
    'ws://a.test:8400',
    'https://ops.example/rollcall',
    'a.test:1',
    '[::1]:8400',
    'redis://r:6379/2',
    '',
  ])
    assert.equal(printableUrl(text), text);
});

test('user name, password, query and fragment are never printed, for any text', () => {
  const secrets = ['ws://user:s3cret@a.test', 'ws://s3cret@a.test', 'redis://:s3cret@r:6379/2', 'user:s3cret@a.test'];
  const odd = [
    'ws://user:p/s3cret@a.test',
    'ws://user:1?s3cret@a.test',
    'ws://user:1#s3cret@a.test',
    'ws://u:s3@cret@a.test',
  ];
  const queries = ['ws://a.test/?token=s3cret', 'ws://a.test#s3cret', 'ws://a.test/x?a=1\ns3cret', 'a.test?s3cret'];
  for (const text of [...secrets, ...odd, ...queries]) {
    assert.doesNotMatch(printableUrl(text), /s3|cret/, text);
    assert.match(printableUrl(text), /(?:a\.test|r:6379\/2)/, text);
  }
  assert.equal(printableUrl('redis://:s3cret@r:6379/2'), 'redis://***@r:6379/2');
  assert.equal(printableUrl('ws://a.test/x?token=s3cret'), 'ws://a.test/x?***');
});

test('the printed address is one line of bounded length', () => {
  assert.equal(printableUrl('ws://a\r\nb\u001b[31m'), 'ws://a b [31m');
  assert.equal(printable('x'.repeat(20), 10), `${'x'.repeat(10)}…`);
});
