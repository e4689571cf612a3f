import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { askedAddress, boundAddress, programAddress } from './program-address.ts';

for (const [bound, answered, asked] of [
  [undefined, '127.0.0.1', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1', '127.0.0.1'],
  ['::', '::1', '::1'],
  ['127.0.0.2', '127.0.0.1', '127.0.0.2'],
  ['10.0.0.5', '127.0.0.1', '10.0.0.5'],
] as const)
  test(`a program bound to ${bound} that answered at ${answered} is asked at ${asked}`, () => {
    assert.equal(askedAddress(bound, answered), asked);
  });

for (const host of ['127.0.0.1', '127.0.0.2', '0.0.0.0'])
  test(`the address of a program that listens on ${host}`, { skip: process.platform !== 'linux' }, async (t) => {
    const server = createServer().listen(0, host);
    await once(server, 'listening');
    t.after(() => server.close());
    const { port } = server.address() as { port: number };
    assert.equal(boundAddress(process.pid, port, '127.0.0.1'), host);
    assert.equal(boundAddress(process.pid, 1, '127.0.0.1'), undefined);
  });

test('of several addresses of one port the preferred one is used, and every address before it', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const first = createServer().listen(0, '127.0.0.1');
  await once(first, 'listening');
  const { port } = first.address() as { port: number };
  const second = createServer().listen(port, '127.0.0.2');
  await once(second, 'listening');
  t.after(() => [first, second].map((server) => server.close()));
  assert.equal(boundAddress(process.pid, port, '127.0.0.2'), '127.0.0.2');
  assert.equal(boundAddress(process.pid, port, '127.0.0.1'), '127.0.0.1');
});

for (const [place, expected] of [
  [{ bound: '127.0.0.1', answers: '127.0.0.1', local: '127.0.0.1', remote: '127.0.0.1' }, '127.0.0.1'],
  [{ bound: undefined, answers: '::1', local: '127.0.0.1', remote: '127.0.0.1' }, '::1'],
  [{ bound: undefined, answers: '127.0.0.1', local: '127.0.0.1', remote: '127.0.0.1' }, '127.0.0.1'],
] as const)
  test(`the cluster gets ${expected} for ${JSON.stringify(place)}`, () => {
    assert.deepEqual(programAddress(place), { address: expected });
  });

test('a program that only this machine reaches is refused where the coordinator is elsewhere', () => {
  const refused = programAddress({ bound: '127.0.0.1', answers: '127.0.0.1', local: '10.0.0.5', remote: '10.0.0.1' });
  assert.ok('problem' in refused);
  assert.match(refused.problem, /127\.0\.0\.1.*--address/);
});
