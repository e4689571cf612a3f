import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { addClientTlsFlags, agentPlaces, clientTlsOf, placeOf } from './coordinator-tls.ts';

/** A folder without the state of any coordinator. */
function empty(t: { after(end: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-tls-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

for (const [what, flags, environment, files] of [
  ['nothing', {}, {}, {}],
  ['flags', { ca: 'a', clientCert: 'b', clientKey: 'c' }, {}, { ca: 'a', cert: 'b', key: 'c' }],
  [
    'the environment',
    {},
    { ROLLCALL_CA: 'a', ROLLCALL_CLIENT_CERT: 'b', ROLLCALL_CLIENT_KEY: 'c' },
    { ca: 'a', cert: 'b', key: 'c' },
  ],
  ['a flag before its variable', { ca: 'flag' }, { ROLLCALL_CA: 'variable' }, { ca: 'flag' }],
] as const)
  test(`the TLS files come from ${what}`, (t) => {
    const place = placeOf('https://rollcall.test:8400', { ...flags, stateDir: empty(t) }, environment);
    assert.equal(place.url, 'https://rollcall.test:8400');
    assert.deepEqual({ ...place.files }, files);
  });

test('files are read for https and wss only', () => {
  const files = { ca: '/none/ca.pem' };
  for (const url of ['http://rollcall.test:8400', 'ws://rollcall.test:8400'])
    assert.deepEqual(clientTlsOf({ url, files }), { hasCertificate: false });
  for (const url of ['https://rollcall.test:8400', 'wss://rollcall.test:8400'])
    assert.throws(() => clientTlsOf({ url, files }), { exitCode: 2, message: /\/none\/ca\.pem/ });
});

test('a file that is no certificate, and a certificate without its key, are refused by name', (t) => {
  const directory = empty(t);
  const ca = join(directory, 'ca.pem');
  writeFileSync(ca, 'no certificate');
  const url = 'https://rollcall.test:8400';
  assert.throws(() => clientTlsOf({ url, files: { ca } }), { exitCode: 2, message: /ca\.pem/ });
  assert.throws(() => clientTlsOf({ url, files: { cert: ca } }), { exitCode: 2 });
});

test('agents get each address once, and wrong files end the command before the program starts', (t) => {
  const stateDir = empty(t);
  const environment = { ROLLCALL_STATE_DIR: stateDir };
  const urls = ['ws://one.test:8400', 'wss://two.test:8400', 'ws://one.test:8400'];
  const { coordinators, tls } = agentPlaces({ urls, areAlternatives: false }, {}, environment);
  assert.deepEqual(coordinators, ['ws://one.test:8400', 'wss://two.test:8400']);
  for (const url of [...coordinators, 'wss://announced.test:8400']) assert.equal(tls(url).hasCertificate, false);
  assert.throws(() => agentPlaces({ urls, areAlternatives: false }, { ca: '/none/ca.pem' }, environment), {
    exitCode: 2,
    message: /\/none/,
  });
  assert.doesNotThrow(() =>
    agentPlaces({ urls: ['ws://one.test:8400'], areAlternatives: false }, { ca: '/none/ca.pem' }, environment),
  );
});

test('every command that connects has the same three flags', () => {
  const help = addClientTlsFlags(new Command('x')).helpInformation().replace(/\s+/g, ' ');
  for (const [flag, variable] of [
    ['--ca <file>', 'ROLLCALL_CA'],
    ['--client-cert <file>', 'ROLLCALL_CLIENT_CERT'],
    ['--client-key <file>', 'ROLLCALL_CLIENT_KEY'],
  ])
    assert.ok(help.includes(flag!) && help.includes(variable!), flag);
});
