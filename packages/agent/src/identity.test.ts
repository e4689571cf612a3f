import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { isName } from '@rollcall/protocol';
import { defaultNodeId, newInstance, processIncarnation, thisProcess } from './identity.ts';

const HERE = { hostname: 'h', directory: '/srv/shop', slot: 3000 };

test('the id depends on host name, directory and slot only', () => {
  const id = defaultNodeId('shop', HERE);
  assert.match(id, /^shop-[0-9a-f]{6}$/);
  assert.equal(defaultNodeId('shop', { ...HERE }), id);
  for (const other of [{ hostname: 'i' }, { directory: '/srv/wiki' }, { slot: 3001 }]) {
    assert.notEqual(defaultNodeId('shop', { ...HERE, ...other }), id);
  }
});

test('the id of the longest balancer name is still a name', () => {
  const id = defaultNodeId('b'.repeat(64), HERE);
  assert.equal(id.length, 64);
  assert.ok(isName(id));
});

test('each instance is 128 new bits; an incarnation is a whole Unix time', () => {
  assert.match(newInstance(), /^[0-9a-f]{32}$/);
  assert.notEqual(newInstance(), newInstance());
  assert.ok(Number.isSafeInteger(processIncarnation()));
});

test('a process has its pid, and its host name if it is printable', () => {
  assert.equal(thisProcess().pid, process.pid);
  assert.ok(thisProcess().host === undefined || thisProcess().host === hostname());
});
