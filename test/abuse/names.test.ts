/** Rows C17–C20: names that would reach cookies, logs, metrics and pages, and routes that two nodes claim. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';
import { Target } from './target.ts';

let target: Target;

before(async () => {
  target = await Target.start();
});
after(() => target.close());
afterEach(() => target.assertUnharmed());

const NO_NAMES = [
  '',
  ' ',
  'a b',
  'a;b',
  'a.b',
  'a,b',
  'a=b',
  'a"b',
  "a'b",
  'a\r\nSet-Cookie: x=y',
  'a%0d%0aSet-Cookie:x',
  'a\u0000',
  'a\t',
  'x'.repeat(65),
  'x'.repeat(300),
  '\u0430', // Cyrillic a
  '😀',
  '\u202egnp',
  'a\u200b',
  '__proto__',
  '.',
  '..',
  '../../etc/passwd',
  '<img src=x onerror=alert(1)>',
  '{jndi:ldap://x}',
];

test('C17 C18: a route, id, balancer or group that is no name is refused and shown nowhere', async () => {
  for (const name of NO_NAMES)
    for (const field of ['route', 'id', 'balancer', 'group']) {
      const agent = await target.agent();
      const { code, message } = await agent.refusal(await target.node('no-name', { [field]: name }));
      assert.equal(code, 'bad-name', `${field} ${JSON.stringify(name)}`);
      assert.match(message!, /is not \[A-Za-z0-9_-\]\{1,64\}$/);
      agent.close();
    }
  assert.equal(await target.resource('no-name'), undefined);
  const pages = ['/metrics', '/v1/status', '/v1/nodes?all', '/v1/balancers', '/v1/events', '/server-status'];
  const shown = await Promise.all(pages.map((path) => target.read(path)));
  for (const text of [...shown, JSON.stringify(target.audit()), target.site.log])
    for (const trace of ['Set-Cookie', 'onerror', 'jndi', 'passwd', 'gnp']) assert.ok(!text.includes(trace), trace);
});

test('C18: text for people is kept as it is, and pages that show it allow no script of its own', async () => {
  const text = '<img src=x onerror=alert(1)>';
  const agent = await target.agent();
  await agent.register(await target.node('free-text', { version: text, meta: { note: text } }));
  assert.equal((await target.resource('free-text'))?.meta['note'], text);
  for (const path of ['/server-status', '/balancer-manager']) {
    const response = await fetch(target.site.controlUrl + path);
    assert.doesNotMatch(await response.text(), /<img src=x/, path);
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/, path);
    assert.doesNotMatch(policy, /unsafe-inline'[^;]*script|script-src[^;]*unsafe/, path);
  }
  for (const control of ['a\u0000b', 'a\nb', 'a\u001b[2Jb', 'a\u007fb', 'a\u0085b']) {
    const other = await target.agent();
    assert.equal((await other.refusal(await target.node('control', { version: control }))).code, 'bad-field');
    other.close();
  }
  agent.close();
});

test('C19: routes that differ in case only are two routes, and each keeps its sessions', async () => {
  for (const id of ['Case-1', 'case-1']) {
    const agent = await target.agent();
    const more = { balancer: 'case', hosts: ['case.test'], sticky: { mode: 'suffix', cookies: ['sid'] } };
    await agent.register(await target.node(id, more));
    agent.send({ type: 'heartbeat', load: 0.1 });
    await until(async () => (await target.resource(id))?.liveness === 'up', `${id} is not up`);
  }
  await target.site.isCurrent();
  for (const route of ['Case-1', 'case-1', 'Case-1'])
    for (let i = 0; i < 5; i++) {
      const visitor = new Visitor(target.site.proxyPort, { host: 'case.test' });
      visitor.take('sid', `abc${i}.${route}`);
      assert.equal((await visitor.get('/')).body, route);
      visitor.close();
    }
});

test('C20: a route that a node holds is refused with its holder named, and is free when the holder has left', async () => {
  const holder = await target.agent();
  await holder.register(await target.node('holder', { route: 'wanted' }));
  holder.send({ type: 'heartbeat' });
  await until(async () => (await target.resource('holder'))?.liveness === 'up', 'the holder is not up');
  const node = await target.node('second', { route: 'wanted' });
  const refused = await target.agent();
  const { code, message, holderConnected } = await refused.refusal(node);
  assert.deepEqual([code, holderConnected], ['route-taken', true]);
  assert.match(message!, /holder/);
  assert.equal(await refused.closed, 4409);
  assert.equal((await target.resource('holder'))?.route, 'wanted');
  assert.equal(await target.resource('second'), undefined);
  holder.send({ type: 'leave' });
  assert.equal(await holder.closed, 1000);
  const accepted = await target.agent();
  await accepted.register(node);
  assert.equal((await target.resource('second'))?.route, 'wanted');
});
