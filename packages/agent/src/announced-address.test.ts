import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AddressFacts, announcedAddress, plainAddress } from './announced-address.ts';

const OWN = [
  { address: '127.0.0.1', internal: true },
  { address: '169.254.7.7', internal: false },
  { address: '10.0.0.5', internal: false },
  { address: '2001:db8::5', internal: false },
  { address: 'fe80::5', internal: false },
];

function announced(facts: Partial<AddressFacts>): string {
  const answer = announcedAddress({
    bound: '0.0.0.0',
    local: '10.0.0.5',
    remote: '10.0.0.9',
    interfaces: OWN,
    setting: 'url',
    ...facts,
  });
  return 'address' in answer ? answer.address : answer.problem;
}

test('a server that is bound to one address announces this address', () => {
  assert.equal(announced({ bound: '10.0.0.6' }), '10.0.0.6');
  assert.equal(announced({ bound: '127.0.0.2', local: '127.0.0.1', remote: '127.0.0.1' }), '127.0.0.2');
  assert.equal(announced({ bound: '::ffff:10.0.0.6' }), '10.0.0.6');
  assert.equal(announced({ bound: '2001:db8::6' }), '2001:db8::6', 'also when the coordinator is reached over IPv4');
});

test('a server that is bound to all addresses announces the local end if it serves the family', () => {
  assert.equal(announced({}), '10.0.0.5');
  assert.equal(announced({ bound: '::' }), '10.0.0.5');
  assert.equal(announced({ bound: '::', local: '2001:db8::5', remote: '2001:db8::9' }), '2001:db8::5');
  assert.equal(announced({ local: '2001:db8::5', remote: '2001:db8::9' }), '10.0.0.5', 'no link-local one');
  assert.equal(announced({ local: '::1', remote: '::1' }), '127.0.0.1');
});

test('without a server, or without a connection, the address is the local end or loopback', () => {
  assert.equal(announced({ bound: undefined }), '10.0.0.5');
  assert.equal(announced({ bound: undefined, local: '', remote: '' }), '127.0.0.1');
  assert.equal(announced({ local: '', remote: '' }), '127.0.0.1');
});

test('an address that the coordinator cannot reach is a problem in one sentence', () => {
  assert.equal(
    announced({ bound: '127.0.0.1' }),
    'the program listens on 127.0.0.1 only, and the coordinator at 10.0.0.9 is on another machine: listen on 0.0.0.0, or set url',
  );
  assert.match(announced({ bound: '::1' }), /listens on ::1 only.*listen on ::, or set url/);
  assert.match(announced({ bound: 'fe80::5' }), /listens on fe80::5 only/);
  assert.match(announced({ bound: '169.254.7.7' }), /listens on 169\.254\.7\.7 only/);
  assert.match(
    announced({ local: '2001:db8::5', remote: '2001:db8::9', interfaces: [] }),
    /this machine has no IPv4 address for the coordinator at 2001:db8::9/,
  );
});

test('a link-local end of a server that is bound to all addresses is a problem too', () => {
  assert.match(announced({ bound: '::', local: 'fe80::5', remote: 'fe80::9' }), /link-local address fe80::5.*set url/);
});

test('a coordinator at an address of this machine reaches loopback', () => {
  assert.equal(announced({ bound: '127.0.0.1', remote: '10.0.0.5' }), '127.0.0.1');
  assert.equal(announced({ bound: '127.0.0.1', local: '10.0.0.5', remote: '2001:db8::5' }), '127.0.0.1');
});

test('plainAddress removes the zone and maps IPv4 of dual-stack sockets', () => {
  assert.deepEqual(['::ffff:10.0.0.5', 'fe80::1%eth0', '::1', undefined].map(plainAddress), [
    '10.0.0.5',
    'fe80::1',
    '::1',
    '',
  ]);
});
