import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeId, parseNodeUrl } from '@rollcall/protocol';
import { type ProcessName, processName } from './process-name.ts';
import { TestProxy } from './proxy.fixture.ts';

const id = parseNodeId('n1')!;
const [here, there] = ['http://127.0.0.1:1', 'http://127.0.0.1:2'].map((text) => parseNodeUrl(text)!);

/** The name at a coordinator with this clock; `digest` leaves the text readable. */
function named(earlier?: ProcessName & { url?: string; hasEnded?: boolean }, url = here, nowMs = 1_000): ProcessName {
  const known = earlier && {
    registration: { url: here, ...earlier } as never,
    hasEnded: earlier.hasEnded === true,
  };
  return processName({ id, url: url! }, known, { digest: (text) => `(${text})`, nowUnixMs: () => nowMs + 0.5 });
}

void test('without an earlier process the name is that of id and address, whatever the clock', () => {
  assert.deepEqual(named(), { instance: '(n1 http://127.0.0.1:1)', incarnation: 1_000 });
  assert.equal(named(undefined, here, 5).instance, named().instance);
  assert.notEqual(named(undefined, there).instance, named().instance);
});

void test('at the same address it is the same process, until that has ended', () => {
  const earlier = { instance: 'x', incarnation: 7 };
  assert.deepEqual(named(earlier), earlier);
  assert.deepEqual(named({ ...earlier, hasEnded: true }), {
    instance: '(n1 http://127.0.0.1:1 x)',
    incarnation: 1_000,
  });
  assert.equal(named(earlier, there).instance, '(n1 http://127.0.0.1:2 x)');
});

void test('a process starts later than the one before it, also when the clock was set back', () => {
  assert.equal(named({ instance: 'x', incarnation: 9_000, hasEnded: true }).incarnation, 9_001);
});

void test('a node that was silent registers again with its next STATUS, without a fault', () => {
  const proxy = new TestProxy();
  proxy.say('CONFIG JVMRoute=n1&Host=127.0.0.1&Port=7001&Type=http');
  proxy.say('DISABLE-APP JVMRoute=n1&Alias=localhost&Context=%2Fa');
  const { instance } = proxy.registry.node(id)!.registration;
  proxy.advance(40_000);
  assert.equal(proxy.state('n1'), 'suspect /a:draining');
  assert.match(proxy.say('STATUS JVMRoute=n1&Load=40'), /State=OK/);
  assert.deepEqual(
    [proxy.state('n1'), proxy.registry.node(id)!.load, proxy.registry.node(id)!.registration.instance],
    ['up /a:draining', 0.6, instance],
  );
  proxy.advance(40_000);
  assert.equal(proxy.say('REMOVE-APP /* JVMRoute=n1'), '200');
  assert.match(proxy.state('n1'), /^gone/);
});
