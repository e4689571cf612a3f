/** Rows C12, C13, C15 and C16: keys and numbers with a special meaning in JavaScript. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { until } from '../site/site.ts';
import type { Message } from './client.ts';
import { Target } from './target.ts';

let target: Target;

before(async () => {
  target = await Target.start();
});
after(() => target.close());
afterEach(() => target.assertUnharmed());

/** Ids are used once, because registrations of one id are slowed. */
let registrations = 0;

/** The answer to `text` on a connection of its own; of a node where `id` is given. */
async function answerTo(text: string, id?: string): Promise<Message> {
  const agent = await target.agent();
  if (id !== undefined) await agent.register(await target.node(`${id}-${registrations++}`));
  agent.send(text);
  const answer = await agent.next();
  agent.close();
  return answer;
}

const BUILT_IN = ['__proto__', 'constructor', 'prototype'];

test('C12: names of built-in properties are refused as keys, in every object of a message', async () => {
  const url = await target.program();
  const node = `"id":"polluted","balancer":"attack","hosts":["attack.test"],"url":"${url}"`;
  for (const key of BUILT_IN) {
    const own = `"${key}":{"polluted":1}`;
    for (const text of [
      `{"type":"register","node":{${node}},${own}}`,
      `{"type":"register","node":{${node},${own}}}`,
      `{"type":"register","node":{${node},"meta":{"${key}":"1"}}}`,
      `{"type":"register","node":{${node},"sticky":{${own}}}}`,
      `{"type":"register","node":{${node},"process":{${own}}}}`,
      `{"type":"register","node":{${node},"contexts":[{"path":"/",${own}}]}}`,
      `{"type":"heartbeat",${own}}`,
      `{"type":"heartbeat","metrics":{"${key}":0}}`,
      `{"type":"heartbeat","scales":{"a":{"capacity":1,"weight":1,${own}}}}`,
    ]) {
      const { type, code, message } = await answerTo(text);
      assert.deepEqual([type, code], ['error', 'bad-field'], text);
      assert.match(message!, new RegExp(`${key} is not allowed as a key`), text);
    }
  }
  assert.equal(await target.resource('polluted'), undefined);
});

test('C12: names of built-in properties are refused as ids, balancers, routes and groups', async () => {
  for (const name of BUILT_IN)
    for (const field of ['id', 'balancer', 'route', 'group']) {
      const node = await target.node('polluted', { [field]: name });
      const { type, code } = await answerTo(JSON.stringify({ type: 'register', node }));
      assert.deepEqual([type, code], ['error', 'bad-name'], `${field} ${name}`);
    }
  for (const path of BUILT_IN.map((name) => `/v1/nodes/${name}`))
    assert.equal((await target.site.admin('GET', path)).status, 404, path);
});

test('C12: the admin API refuses them in bodies', async () => {
  const url = await target.program();
  const token = target.adminToken();
  for (const body of [
    `{"url":"${url}","__proto__":{"weight":9}}`,
    `{"url":"${url}","constructor":{"prototype":{"weight":9}}}`,
    `{"url":"${url}","sticky":{"__proto__":{"mode":"none"}}}`,
  ]) {
    const { status } = await fetch(`${target.site.controlUrl}/v1/nodes/polluted`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body,
    });
    assert.equal(status, 400, body);
  }
  assert.equal(await target.resource('polluted'), undefined);
});

const NOT_A_LOAD = [
  '"NaN"',
  'NaN',
  'Infinity',
  '-Infinity',
  '1e999',
  '-1e999',
  '-1',
  '-5e-324',
  '"5"',
  '""',
  'true',
  '[]',
  '[1]',
  '{}',
];

test('C13: a load that is not a finite number of 0 or more is refused, and the last good one stays', async () => {
  for (const [i, load] of NOT_A_LOAD.entries()) {
    const id = `loads-${i}`;
    const agent = await target.agent();
    await agent.register(await target.node(id));
    agent.send({ type: 'heartbeat', load: 0.5 });
    agent.send(`{"type":"heartbeat","load":${load}}`);
    const { type, code } = await agent.next();
    assert.equal(type, 'error', load);
    assert.match(code!, /^bad-(field|message)$/, load);
    assert.equal((await target.resource(id))?.load, 0.5, load);
    agent.send({ type: 'leave' });
    assert.equal(await agent.closed, 1000);
  }
});

test('C13: an absent load keeps the last one, -0 is 0, and a load above 1 counts as 1', async () => {
  const agent = await target.agent();
  await agent.register(await target.node('more-loads'));
  for (const [load, expected] of [
    ['0.5', 0.5],
    ['null', 0.5],
    ['1e308', 1],
    ['-0', 0],
  ] as const) {
    agent.send(`{"type":"heartbeat","load":${load}}`);
    await until(async () => Object.is((await target.resource('more-loads'))?.load, expected), `load ${load}`);
  }
  agent.send('{"type":"heartbeat"}');
  agent.send('{"type":"status","status":"draining"}');
  await until(async () => (await target.resource('more-loads'))?.status === 'draining', 'not draining');
  assert.equal((await target.resource('more-loads'))?.load, 0);
  agent.close();
});

test('C15: weights and cores outside of their range are refused with the range, within it they are kept', async () => {
  const node = await target.node('weights');
  for (const [field, values, range] of [
    ['weight', ['0', '-1', '1e9', '0.0009', '100.1', '1e999', '"1"'], '0.001 to 100'],
    ['cores', ['0', '-4', '1e9', '1025', '"8"'], '0.001 to 1024'],
  ] as const)
    for (const value of values) {
      const text = `{"type":"register","node":${JSON.stringify(node).slice(0, -1)},"${field}":${value}}}`;
      const { code, message } = await answerTo(text);
      assert.equal(code, 'bad-field', text);
      if (Number.isFinite(JSON.parse(value))) assert.ok(message!.includes(`not within ${range}`), message);
    }
  const agent = await target.agent();
  await agent.register({ ...node, weight: 0.5, cores: 0.25 });
  assert.equal((await target.resource('weights'))?.weight, 0.5);
  agent.close();
});

test('C16: counts that are no whole number up to 2^53 - 1 are refused', async () => {
  const node = await target.node('counts');
  const agent = await target.agent();
  await agent.register(node);
  agent.send({ type: 'heartbeat', seq: 1, sessions: Number.MAX_SAFE_INTEGER, inFlight: 1 });
  await until(async () => (await target.resource('counts'))?.sessions === Number.MAX_SAFE_INTEGER, 'no sessions');
  agent.send({ type: 'leave' });
  await agent.closed;
  for (const field of ['sessions', 'inFlight', 'seq'])
    for (const value of ['9007199254740992', '1e300', '1.5', '-1']) {
      const { type, code } = await answerTo(`{"type":"heartbeat","${field}":${value}}`, 'counts');
      assert.deepEqual([type, code], ['error', 'bad-field'], `${field} ${value}`);
    }
  for (const incarnation of ['9007199254740992', '1e300', '0.5']) {
    const text = `{"type":"register","node":${JSON.stringify(node).slice(0, -1)},"incarnation":${incarnation}}}`;
    assert.equal((await answerTo(text)).code, 'bad-field', incarnation);
  }
});
