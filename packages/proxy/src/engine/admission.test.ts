import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission } from './admission.ts';

test('an address has at most its share of connections, and gets places back', () => {
  const admission = new Admission({ maxConnections: 10, maxConnectionsPerAddress: 2 });
  assert.equal(admission.enter('192.0.2.1', false), undefined);
  assert.equal(admission.enter('192.0.2.1', false), undefined);
  assert.equal(admission.enter('192.0.2.1', false), 'connections-per-address');
  assert.equal(admission.enter('192.0.2.2', false), undefined);
  admission.leave('192.0.2.1', false);
  assert.equal(admission.enter('192.0.2.1', false), undefined);
  assert.equal(admission.total, 3);
});

test('a trusted proxy may use all connections, up to the total', () => {
  const admission = new Admission({ maxConnections: 3, maxConnectionsPerAddress: 1 });
  for (let i = 0; i < 3; i++) assert.equal(admission.enter('10.0.0.1', true), undefined);
  assert.equal(admission.isFull, true);
  assert.equal(admission.enter('192.0.2.1', false), 'connections');
  admission.leave('10.0.0.1', true);
  assert.equal(admission.enter('192.0.2.1', false), undefined);
});

test('no state is kept for addresses without connections', () => {
  const admission = new Admission({ maxConnections: 10, maxConnectionsPerAddress: 1 });
  for (let i = 0; i < 1_000; i++) {
    assert.equal(admission.enter(`192.0.2.${i}`, false), undefined);
    admission.leave(`192.0.2.${i}`, false);
  }
  assert.equal(admission.total, 0);
});
