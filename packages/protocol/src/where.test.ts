import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeUrl } from './ids.ts';
import { matchesWhere, noMatchText, type Where, type WhereFacts, whereText } from './where.ts';

const NODE: WhereFacts = {
  id: 'shop-eu-1',
  balancer: 'shop',
  url: 'http://10.0.0.5:3000' as NodeUrl,
  version: '1.4.1',
  group: 'eu',
  process: { host: 'App-5.example', pid: 7 },
};

const CASES: readonly [where: Where, is: boolean][] = [
  [{ version: '1.4.1' }, true],
  [{ version: '1.4' }, false],
  [{ group: 'eu', balancer: 'shop' }, true],
  [{ group: 'eu', balancer: 'blog' }, false],
  [{ host: '10.0.0.5' }, true],
  [{ host: '10.0.0.50' }, false],
  [{ host: 'app-5.example' }, true],
  [{ host: 'app-5' }, false],
  [{ node: 'shop-eu-1' }, true],
  [{ node: 'shop-eu' }, false],
  [{ node: 'shop-*' }, true],
  [{ node: '*-1' }, true],
  [{ node: '*eu*' }, true],
  [{ node: 's*p-?u-?' }, true],
  [{ node: '*-2' }, false],
  [{ node: '*' }, true],
  [{ node: '**' }, true],
  [{ node: '?' }, false],
  [{ node: '' }, false],
  [{ node: 'shop.eu.1' }, false],
];

for (const [where, is] of CASES)
  test(`${whereText(where)} ${is ? 'selects' : 'does not select'} the node`, () => {
    assert.equal(matchesWhere(where, NODE), is);
  });

test('a host may be an IPv6 address in any form', () => {
  const node = { ...NODE, url: 'http://[2001:db8::5]:3000' as NodeUrl };
  for (const host of ['2001:db8::5', '[2001:db8::5]', '2001:DB8:0:0::5'])
    assert.equal(matchesWhere({ host }, node), true, host);
});

test('a long pattern with many stars takes no long time', () => {
  assert.equal(matchesWhere({ node: `${'*a'.repeat(100)}b` }, { ...NODE, id: 'a'.repeat(64) }), false);
});

test('a selector without a match names the values that there are', () => {
  const other = { ...NODE, id: 'shop-2', version: '1.4.2' };
  const bare: WhereFacts = { id: 'blog-1', balancer: 'blog', url: 'https://blog:8443' as NodeUrl };
  assert.equal(
    noMatchText({ version: '9', host: 'db' }, [NODE, other, bare]),
    'no node matches version=9,host=db: version is one of 1.4.1, 1.4.2; host is one of 10.0.0.5, App-5.example, blog',
  );
  assert.equal(noMatchText({ group: 'us' }, [bare]), 'no node matches group=us: no node has a group');
  assert.equal(noMatchText({ node: 'x*' }, []), 'no node matches node=x*: there are no nodes');
});
