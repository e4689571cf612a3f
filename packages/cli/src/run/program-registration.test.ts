import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeDescription } from '@rollcall/agent';
import { FaultBox, Fields, type NodeRegistration, readRegistration } from '@rollcall/protocol';
import { isStickyContested, type ProgramFacts, programRegistration } from './program-registration.ts';

const IDENTITY = { id: 'shop-1', route: 'r1', instance: '1'.repeat(32), incarnation: 7 };
const HERE = { local: '127.0.0.1', remote: '127.0.0.1', answers: '127.0.0.1' };

/** The registration that the SDK of the program has sent. */
function sdk(more: object = {}): NodeRegistration {
  const fields = {
    id: 'own',
    balancer: 'own',
    url: 'http://127.0.0.1:3000',
    incarnation: 1,
    instance: '2'.repeat(32),
    ...more,
  };
  const box = new FaultBox();
  const node = readRegistration(new Fields(fields, '', box));
  if (node === undefined) throw new Error(JSON.stringify(box.fault));
  return node;
}

function registered(
  facts: Partial<ProgramFacts>,
  own?: NodeRegistration,
  way: Parameters<typeof programRegistration>[3] = HERE,
): NodeRegistration {
  const node = programRegistration({ description: {}, port: 3000, ...facts }, own, IDENTITY, way);
  if ('code' in node) throw new Error(`${node.code}: ${node.message}`);
  return node;
}

test('identity and address are those of the wrapper', () => {
  const node = registered({ description: { balancer: 'shop' } }, sdk({ url: 'http://127.0.0.1:9999' }));
  assert.deepEqual([node.id, node.route, node.incarnation, node.balancer], ['shop-1', 'r1', 7, 'shop']);
  assert.equal(node.url, 'http://127.0.0.1:3000');
});

for (const [what, facts, pid] of [
  ['the program', { pid: 4_711 }, 4_711],
  ['the wrapper, if that of the program is unknown', {}, process.pid],
] as const)
  test(`the pid is that of ${what}`, () => {
    const node = registered(facts, sdk());
    assert.deepEqual([node.process?.pid, typeof node.process?.host], [pid, 'string']);
  });

for (const [what, facts, own, way, url] of [
  ['TLS', { isTls: true }, undefined, HERE, 'https://127.0.0.1:3000'],
  ['a given address', { announcedAddress: '10.0.0.5' }, undefined, HERE, 'http://10.0.0.5:3000'],
  ['a given IPv6 address', { announcedAddress: 'fd00::5' }, undefined, HERE, 'http://[fd00::5]:3000'],
  ['an address of the SDK', {}, 'http://10.0.0.6:3000', HERE, 'http://10.0.0.6:3000'],
  ['a loopback address of the SDK', {}, 'http://[::1]:3000', HERE, 'http://127.0.0.1:3000'],
  [
    'a given address before that of the SDK',
    { announcedAddress: '10.0.0.5' },
    'http://10.0.0.6:3000',
    HERE,
    'http://10.0.0.5:3000',
  ],
  ['a url of the flags', { description: { url: 'http://app:80' } }, 'http://10.0.0.6:3000', HERE, 'http://app:80'],
  ['an answer on IPv6 loopback', {}, undefined, { ...HERE, answers: '::1' }, 'http://[::1]:3000'],
] as const)
  test(`the cluster gets ${url} with ${what}`, () => {
    assert.equal(
      registered(facts as Partial<ProgramFacts>, own === undefined ? undefined : sdk({ url: own }), way).url,
      url,
    );
  });

const OWN = {
  hosts: ['shop.test'],
  contexts: [{ path: '/shop', hosts: ['a.test'] }],
  weight: 2,
  group: 'eu',
  version: '1.4',
  loadHeader: true,
  cores: 4,
  sticky: { mode: 'suffix', cookies: ['SID'] },
} as const;

test('without flags the description of the SDK applies', () => {
  const node = registered({}, sdk(OWN));
  assert.deepEqual(
    [node.balancer, node.hosts, node.contexts, node.weight, node.group, node.version],
    ['own', ['shop.test'], OWN.contexts, 2, 'eu', '1.4'],
  );
  assert.deepEqual([node.loadHeader, node.cores, node.sticky?.cookies], [true, 4, ['SID']]);
});

test('flags override the description of the SDK, except its sticky settings', () => {
  const description = {
    balancer: 'flag',
    contexts: ['/flag'],
    weight: 3,
    sticky: { cookies: ['FLAG'] },
  } as NodeDescription;
  const node = registered({ description }, sdk(OWN));
  assert.deepEqual(
    [node.balancer, node.contexts.map(({ path }) => path), node.weight, node.hosts, node.sticky?.cookies],
    ['flag', ['/flag'], 3, ['shop.test'], ['SID']],
  );
  assert.deepEqual(registered({ description }).sticky?.cookies, ['FLAG']);
});

for (const [flags, own, isContested] of [
  [undefined, undefined, false],
  [{ cookies: ['A'] }, undefined, false],
  [undefined, { cookies: ['A'] }, false],
  [{ cookies: ['A'] }, { cookies: ['A'] }, false],
  [{ cookies: ['A'] }, { cookies: ['B'] }, true],
] as const)
  test(`sticky settings ${JSON.stringify(flags)} of flags and ${JSON.stringify(own)} of the SDK differ: ${isContested}`, () => {
    const description = (flags === undefined ? {} : { sticky: flags }) as NodeDescription;
    const registration = own === undefined ? sdk() : { ...sdk(), sticky: own };
    assert.equal(isStickyContested(description, registration as NodeRegistration), isContested);
  });

test('a ready path is sent up to its largest length, and copies are read at each registration', () => {
  let kept = 1;
  const facts = { readyPath: '/health', copies: () => ({ wrapper: '3'.repeat(32), kept: kept++, most: 9 }) };
  assert.deepEqual([registered(facts).readyPath, registered(facts).copies?.kept], ['/health', 2]);
  assert.equal(registered({ readyPath: `/${'x'.repeat(256)}` }).readyPath, undefined);
  assert.equal(registered({}).copies, undefined);
});

test('without a listener that can be seen, the local address of the connection is announced', () => {
  const way = { local: '10.0.0.5', remote: '10.0.0.1', answers: '::1' };
  const node = programRegistration({ description: {}, port: 3000, pid: process.pid }, undefined, IDENTITY, way);
  assert.ok(!('code' in node) && node.url === 'http://10.0.0.5:3000');
});
