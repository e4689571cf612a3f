import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { supervisorOptions, type UpFlags } from './up-settings.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'rollcall-up-'));
after(() => rmSync(FOLDER, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  const path = join(FOLDER, name);
  writeFileSync(path, text);
  return path;
};
const PAGE = file('sorry.html', '<p>sorry');
const LARGE = file('large.html', 'x'.repeat(1_048_577));
const NO_PEM = file('no.pem', 'no certificate');
const CA = file('ca.pem', rootCertificates[0]!);
const COMMA_PEM = file('no,cert.pem', 'no certificate');
const SHORT = file('short', 'abc');
const SECRET = file('secret', 'a-secret-line\n');
const OPEN = { mcmp: '0.0.0.0:6666', mcmpAllow: ['10.0.0.0/8'] };
mkdirSync(join(FOLDER, 'site'));
const COMMA_PAGE = file('sorry,503.html', '<p>sorry');
const COMMA_SITE = join(FOLDER, 'site, new');
mkdirSync(COMMA_SITE);

const PLAIN: UpFlags = { proxy: '8080', control: '8400', logFormat: 'auto', logLevel: 'info' };

function optionsOf(flags: Partial<UpFlags>): ReturnType<typeof supervisorOptions> {
  return supervisorOptions({ ...PLAIN, ...flags }, [], () => {});
}

test('the defaults: one worker, no TLS, all addresses for the site and loopback for the control port', () => {
  const options = optionsOf({});
  assert.deepEqual(options.proxy, { host: '0.0.0.0', port: 8080 });
  assert.deepEqual(options.control, { host: '127.0.0.1', port: 8400 });
  assert.equal(options.tls, undefined);
  assert.equal(options.isControlTls, false);
  assert.deepEqual([options.workers, options.graceMs, options.store], [1, 60_000, undefined]);
  assert.deepEqual(options.staticSites, []);
  const { controlOptions, workerOptions } = options;
  for (const name of [
    'agentsListen',
    'mcmp',
    'controlTls',
    'advertise',
    'adminAllow',
    'nodeAllow',
    'controlUrl',
    'quotas',
  ])
    assert.ok(!(name in controlOptions), name);
  for (const name of ['accessLog', 'healthPath', 'stickySecretFile', 'ajpSecretFile'])
    assert.ok(!(name in workerOptions), name);
  assert.deepEqual([workerOptions.excludedPaths, workerOptions.errorPages, workerOptions.certificates], [[], {}, []]);
});

const read: readonly (readonly [
  flags: Partial<UpFlags>,
  of: (options: ReturnType<typeof optionsOf>) => unknown,
  expected: unknown,
])[] = [
  [{ proxy: '127.0.0.1:81' }, ({ proxy }) => proxy, { host: '127.0.0.1', port: 81 }],
  [{ proxy: '[::1]:81' }, ({ proxy }) => proxy, { host: '::1', port: 81 }],
  [{ control: '0.0.0.0:84' }, ({ control }) => control, { host: '0.0.0.0', port: 84 }],
  [{ agents: '8500' }, ({ controlOptions }) => controlOptions.agentsListen, { host: '0.0.0.0', port: 8500 }],
  [
    { mcmp: '6666' },
    ({ controlOptions }) => controlOptions.mcmp,
    { listen: { host: '127.0.0.1', port: 6666 }, allow: [] },
  ],
  [
    { mcmp: '0.0.0.0:6666', mcmpAllow: ['10.0.0.0/8', '192.168.1.7=java'] },
    ({ controlOptions }) => controlOptions.mcmp,
    { listen: { host: '0.0.0.0', port: 6666 }, allow: ['10.0.0.0/8', '192.168.1.7=java'] },
  ],
  [
    { mcmp: '10.0.0.5:6666', mcmpAllow: ['10.0.0.0/8'], mcmpAdvertise: true },
    ({ controlOptions }) => controlOptions.mcmp?.advertise,
    { group: { host: '224.0.1.105', port: 23_364 }, address: '10.0.0.5' },
  ],
  [
    {
      mcmp: '0.0.0.0:6666',
      mcmpAllow: ['10.0.0.0/8'],
      mcmpAdvertise: '239.1.2.3:7000',
      mcmpAdvertiseInterface: '10.0.0.5',
      mcmpAdvertiseKeyFile: SECRET,
    },
    ({ controlOptions }) => controlOptions.mcmp?.advertise,
    { group: { host: '239.1.2.3', port: 7_000 }, address: '10.0.0.5', key: 'a-secret-line' },
  ],
  [
    { mcmp: '127.0.0.1:6666', mcmpAdvertise: '', mcmpAdvertiseInterface: '127.0.0.1' },
    ({ controlOptions }) => controlOptions.mcmp?.advertise?.address,
    '127.0.0.1',
  ],
  [{ mcmp: '6666', mcmpAdvertise: false }, ({ controlOptions }) => controlOptions.mcmp?.advertise, undefined],
  [{ proxy: '0', control: '0' }, ({ proxy, control }) => [proxy.port, control.port], [0, 0]],
  [{ workers: '4' }, ({ workers }) => workers, 4],
  [{ workers: '64' }, ({ workers }) => workers, 64],
  [{ workers: 'auto' }, ({ workers }) => workers, Math.min(64, availableParallelism())],
  [{ grace: '5s' }, ({ graceMs }) => graceMs, 5_000],
  [{ store: 'memory' }, ({ store }) => store, 'memory'],
  [{ store: 'file:/var/x' }, ({ store }) => store, 'file:/var/x'],
  [{ store: 'rediss://u:p@h:1/2' }, ({ store }) => store, 'rediss://u:p@h:1/2'],
  [{ store: 'redis-sentinel://a,b:1#main' }, ({ store }) => store, 'redis-sentinel://a,b:1#main'],
  [
    { store: 'rediss://h', storeCa: CA },
    ({ controlOptions: { storeCa } }) => storeCa?.includes('BEGIN CERTIFICATE'),
    true,
  ],
  [{ stateDir: '/var/rc' }, ({ stateDirFor }) => stateDirFor(8400), '/var/rc'],
  [
    { heartbeat: '200ms' },
    ({ controlOptions: { heartbeatMs, suspectMs, leaseMs } }) => [heartbeatMs, suspectMs, leaseMs],
    [200, 600, 3_000],
  ],
  [{ controlUrl: 'https://x.test/path' }, ({ controlOptions }) => controlOptions.controlUrl, 'https://x.test'],
  [{ controlHost: ['a,b', 'c'] }, ({ controlOptions }) => controlOptions.controlHosts, ['a', 'b', 'c']],
  [{ exclude: ['/a,/b'] }, ({ workerOptions }) => workerOptions.excludedPaths, ['/a', '/b']],
  [{ healthPath: '/healthz' }, ({ workerOptions }) => workerOptions.healthPath, '/healthz'],
  [{ errorPage: [`503=${PAGE}`] }, ({ workerOptions }) => workerOptions.errorPages, { 503: PAGE }],
  [
    { errorPage: [`503=${COMMA_PAGE},404=${PAGE}`, `500=${PAGE}`] },
    ({ workerOptions }) => workerOptions.errorPages,
    { 404: PAGE, 500: PAGE, 503: COMMA_PAGE },
  ],
  [
    { static: [`/a=${COMMA_SITE}, /b=${join(FOLDER, 'site')}`] },
    ({ staticSites }) => staticSites,
    [
      { context: '/a', directory: COMMA_SITE },
      { context: '/b', directory: join(FOLDER, 'site') },
    ],
  ],
  [{ exclude: ['/a,b,/c'] }, ({ workerOptions }) => workerOptions.excludedPaths, ['/a,b', '/c']],
  [{ accessLog: 'off' }, ({ workerOptions }) => workerOptions.accessLog, undefined],
  [{ accessLog: '-' }, ({ workerOptions }) => workerOptions.accessLog, { path: '-', format: 'combined' }],
  [
    { accessLog: join(FOLDER, 'access.log'), accessLogFormat: 'json' },
    ({ workerOptions }) => workerOptions.accessLog,
    { path: join(FOLDER, 'access.log'), format: 'json' },
  ],
  [
    { static: [`/files=${join(FOLDER, 'site')}`] },
    ({ staticSites }) => staticSites,
    [{ context: '/files', directory: join(FOLDER, 'site') }],
  ],
  [{ headerTimeout: '7s' }, ({ workerOptions }) => workerOptions.limits['headerTimeoutMs' as never], 7_000],
  [
    { limit: ['upstream-timeout=8s'], upstreamTimeout: '8000ms' },
    ({ workerOptions }) => workerOptions.limits['upstreamTimeoutMs' as never],
    8_000,
  ],
  [{ upstreamName: 'app.test' }, ({ workerOptions }) => workerOptions.nodeTls, { serverName: 'app.test' }],
];

for (const [flags, of, expected] of read)
  test(`up reads ${JSON.stringify(flags).replaceAll(FOLDER, '')}`, () => {
    assert.deepEqual(of(optionsOf(flags)), expected);
  });

const refused: readonly (readonly [flags: Partial<UpFlags>, message: RegExp | string])[] = [
  [{ proxy: '8080', control: '8080' }, '--proxy and --control both use port 8080: choose two ports'],
  [{ agents: '8080' }, '--proxy and --agents both use port 8080: choose two ports'],
  [{ proxy: '70000' }, /--proxy/],
  [{ proxy: 'here' }, /--proxy/],
  [{ control: '' }, /--control/],
  [{ workers: '0' }, '--workers 0 is not auto or a number from 1 to 64'],
  [{ workers: '65' }, '--workers 65 is not auto or a number from 1 to 64'],
  [{ workers: '1.5' }, '--workers 1.5 is not auto or a number from 1 to 64'],
  [{ grace: '5' }, /^--grace "5" is not a duration with a unit/],
  [{ heartbeat: '10ms' }, /^--heartbeat "10ms" is too short: /],
  [{ store: 'redis' }, '--store redis is not memory, file:PATH or redis://HOST:PORT'],
  [{ store: 'file:' }, '--store file: is not memory, file:PATH or redis://HOST:PORT'],
  [
    { store: 'redis://' },
    /^--store: the address redis:\/\/ has no host; right is redis:\/\/\[USER:PASSWORD@\]HOST:PORT\[\/DB\]$/,
  ],
  [{ store: 'redis://h:0' }, /^--store: .* has the invalid host "h:0"; right is /],
  [
    { store: 'redis://a,b' },
    /^--store: .* has several hosts, which need redis-sentinel:\/\/ or redis-cluster:\/\/; right is /,
  ],
  [{ store: 'redis-sentinel://a,b' }, /^--store: .* has no name of the master; right is redis-sentinel:.*#MASTER$/],
  [{ storeCa: NO_PEM }, '--store-ca needs a --store with TLS, like rediss://HOST:PORT'],
  [{ store: 'redis://h', storeCa: NO_PEM }, '--store-ca needs a --store with TLS, like rediss://HOST:PORT'],
  [{ store: 'rediss://h', storeCa: '/none/ca.pem' }, /^--store-ca: cannot use \/none\/ca\.pem: ENOENT/],
  [{ store: 'rediss://h', storeCa: NO_PEM }, /^--store-ca: cannot use .*no\.pem: it has no certificate in PEM form$/],
  [{ tlsCert: ['a'], tlsKey: ['b'] }, '--tls-cert and --tls-key need --tls, the TLS listener'],
  [{ tls: '8443' }, /^--tls needs as many --tls-key as --tls-cert, at least one of each; there are 0 and 0$/],
  [{ tls: '8443', tlsCert: ['a', 'b'], tlsKey: ['c'] }, /there are 1 and 2$/],
  [{ tls: '8443', tlsCert: [COMMA_PEM], tlsKey: [COMMA_PEM] }, /^--tls-cert: .*no,cert\.pem/],
  [{ tls: '8443', tlsCert: [`${NO_PEM},${COMMA_PEM}`], tlsKey: [NO_PEM] }, /there are 1 and 3$/],
  [{ tls: '8443', tlsCert: [NO_PEM], tlsKey: [NO_PEM] }, /^--tls-cert: .*no\.pem/],
  [{ controlCert: NO_PEM }, 'TLS on the control port needs both --control-cert and --control-key'],
  [{ controlClientCa: NO_PEM }, 'TLS on the control port needs both --control-cert and --control-key'],
  [{ controlCert: NO_PEM, controlKey: NO_PEM }, /^--control-cert: .*no\.pem/],
  [{ upstreamCa: '/none/ca.pem' }, /^--upstream-ca: .*\/none\/ca\.pem/],
  [{ accessLogFormat: 'short' }, /^--access-log-format short is not one of .*combined/],
  [{ accessLog: '/none/access.log' }, '--access-log /none/access.log: there is no directory /none'],
  [{ accessLog: FOLDER }, `--access-log ${FOLDER} is a directory, not a file`],
  [{ errorPage: ['503'] }, '--error-page 503: write STATUS=FILE, like 503=sorry.html'],
  [{ errorPage: [`200=${PAGE}`] }, /write STATUS=FILE/],
  [{ errorPage: ['503=/none/sorry.html'] }, /^--error-page 503=\/none\/sorry\.html: ENOENT/],
  [{ errorPage: [`503=${LARGE}`] }, /large\.html is larger than 1048576 octets$/],
  [{ healthPath: 'healthz' }, '--health-path healthz is not a path like /healthz'],
  [{ healthPath: '/a b' }, '--health-path /a b is not a path like /healthz'],
  [{ exclude: ['private'] }, '--exclude private is not a path like /private'],
  ...['files', '/files', '=files', '/files='].map(
    (text) => [{ static: [text] }, `--static ${text}: write PATH=DIRECTORY, like /docs=./public`] as const,
  ),
  [{ static: ['files=site'] }, '--static files is not a path like /private'],
  [{ static: ['/files=/none'] }, '--static /files=/none: there is no directory /none'],
  [{ controlUrl: 'ftp://x.test' }, /^--control-url ftp:\/\/x\.test is not an address like https/],
  [{ adminAllow: ['10.0.0.0/33'] }, /--admin-allow/],
  [{ nodeAllow: ['here'] }, /--node-allow/],
  [{ mcmp: '0.0.0.0:6666' }, /--mcmp 0\.0\.0\.0:6666: every peer could register nodes/],
  [{ mcmp: '6666', mcmpAllow: ['here'] }, /--mcmp-allow here/],
  [{ mcmp: '6666', mcmpAllow: ['10.0.0.0/8=a b'] }, /--mcmp-allow 10\.0\.0\.0\/8=a b is not an address/],
  [{ mcmpAllow: ['10.0.0.0/8'] }, /--mcmp-allow needs --mcmp/],
  [{ mcmpAliases: 'on' }, /--mcmp-aliases needs --mcmp/],
  [{ mcmp: '6666', mcmpAliases: 'maybe' }, /--mcmp-aliases "maybe": write on or off/],
  [{ mcmp: '8400' }, /--control and --mcmp both use port 8400/],
  [{ mcmpAdvertise: true }, '--mcmp-advertise needs --mcmp, the listener'],
  [{ mcmp: '6666', mcmpAdvertiseInterface: '10.0.0.5' }, '--mcmp-advertise-interface needs --mcmp-advertise'],
  [{ mcmp: '6666', mcmpAdvertiseKeyFile: SECRET }, '--mcmp-advertise-key-file needs --mcmp-advertise'],
  [{ mcmp: '6666', mcmpAdvertise: true }, /^--mcmp-advertise: --mcmp 127\.0\.0\.1:6666 listens for this machine only/],
  [
    { ...OPEN, mcmpAdvertise: true },
    /^--mcmp-advertise: nodes cannot connect to 0\.0\.0\.0:6666; name an IPv4 address/,
  ],
  [{ ...OPEN, mcmpAdvertise: '10.0.0.1:1', mcmpAdvertiseInterface: '10.0.0.5' }, /the group is from 224\.0\.0\.0/],
  [{ ...OPEN, mcmpAdvertise: true, mcmpAdvertiseInterface: 'eth0' }, /eth0 is not an IPv4 address/],
  [
    { ...OPEN, mcmp: '10.0.0.5:6666', mcmpAdvertise: true, mcmpAdvertiseInterface: '10.0.0.6' },
    /--mcmp listens on 10\.0\.0\.5, so nodes cannot connect to it/,
  ],
  [
    { ...OPEN, mcmpAdvertise: true, mcmpAdvertiseInterface: '10.0.0.5', mcmpAdvertiseKeyFile: '/none/key' },
    /^--mcmp-advertise-key-file: .*\/none\/key/,
  ],
  [{ stickySecretFile: SHORT }, /^--sticky-secret-file: /],
  [{ ajpSecretFile: '/none/secret' }, /^--ajp-secret-file: .*\/none\/secret/],
  [{ stickySecretFile: '/none/secret' }, /^--sticky-secret-file: .*\/none\/secret/],
  [{ limit: ['no-such=1'] }, /no-such/],
  [{ quota: ['no-such=1'] }, /no-such/],
];

for (const [flags, message] of refused)
  test(`up refuses ${JSON.stringify(flags).replaceAll(FOLDER, '')} with exit code 2`, () => {
    assert.throws(() => optionsOf(flags), { exitCode: 2, message });
  });

test('a password in an address is in no message', () => {
  for (const flags of [
    { store: 'redsi://user:secret@host' },
    { store: 'redis://user:secret@host:99999' },
    { store: 'redis://user:secret%@host' },
    { store: 'redis-sentinel://user:secret@host?sentinel-password=secret' },
    { controlUrl: 'ftp://user:secret@host' },
  ])
    assert.throws(
      () => optionsOf(flags),
      (error: Error) => !error.message.includes('secret'),
    );
});

test('the store can be given by a file, which the settings file does not override', (t) => {
  const before = process.env['ROLLCALL_STORE_FILE'];
  t.after(() => {
    if (before === undefined) delete process.env['ROLLCALL_STORE_FILE'];
    else process.env['ROLLCALL_STORE_FILE'] = before;
  });
  const storeFrom = (source: 'flag' | 'environment' | 'file'): string | undefined =>
    supervisorOptions(
      { ...PLAIN, store: 'memory' },
      [],
      () => {},
      () => source,
    ).store;
  process.env['ROLLCALL_STORE_FILE'] = file('store', ' redis://:secret@h:1\n');
  assert.equal(optionsOf({}).store, 'redis://:secret@h:1');
  assert.deepEqual([storeFrom('flag'), storeFrom('environment')], ['memory', 'memory']);
  assert.equal(storeFrom('file'), 'redis://:secret@h:1');
  process.env['ROLLCALL_STORE_FILE'] = '/none/store';
  assert.throws(() => optionsOf({}), { exitCode: 2, message: /^ROLLCALL_STORE_FILE: ENOENT/ });
  process.env['ROLLCALL_STORE_FILE'] = file('wrong-store', 'redsi://:secret@h');
  assert.throws(() => optionsOf({}), { exitCode: 2, message: /^--store redsi:\/\/\*\*\*@h is not/ });
});

test('tokens of the environment are used if they cannot be guessed', (t) => {
  const before = process.env['ROLLCALL_ADMIN_TOKEN'];
  t.after(() => {
    if (before === undefined) delete process.env['ROLLCALL_ADMIN_TOKEN'];
    else process.env['ROLLCALL_ADMIN_TOKEN'] = before;
  });
  process.env['ROLLCALL_ADMIN_TOKEN'] = 'a-token-of-some-length';
  assert.equal(optionsOf({}).controlOptions.adminToken, 'a-token-of-some-length');
  process.env['ROLLCALL_ADMIN_TOKEN'] = 'short';
  assert.throws(() => optionsOf({}), { exitCode: 2, message: /ROLLCALL_ADMIN_TOKEN/ });
});
