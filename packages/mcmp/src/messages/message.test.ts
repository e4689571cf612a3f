import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FaultAnswer } from '../answers/answer.ts';
import { METHODS, type Message, readMessage } from './message.ts';

function read(method: string, body = '', target = '/', accept = ''): Message | FaultAnswer | undefined {
  return readMessage({ type: 'request', method, target, accept, isKeptAlive: true, body });
}

function mess(method: string, body: string, target?: string): string {
  const message = read(method, body, target);
  return message?.type === 'fault' ? `${message.kind} ${message.mess}` : 'accepted';
}

const CONFIG = 'JVMRoute=n1&Host=127.0.0.1&Port=7001&Type=http';
const UNREADABLE =
  "SYNTAX SYNTAX: Can't parse MCMP message. It might have contained illegal symbols or unknown elements.";

void test('a CONFIG gets the defaults of mod_proxy_cluster', () => {
  const message = read('CONFIG', CONFIG);
  assert.ok(message?.type === 'CONFIG');
  assert.deepEqual(message.config, {
    route: 'n1',
    balancer: 'mycluster',
    group: '',
    host: '127.0.0.1',
    port: 7001,
    scheme: 'http',
    typeText: 'http',
    flushPackets: 'Off',
    flushWaitMs: 10,
    pingS: 10,
    smax: -1,
    ttlS: 60,
    timeoutS: 0,
    sticky: {
      isSticky: true,
      cookie: 'JSESSIONID',
      path: 'jsessionid',
      isRemoved: false,
      isForced: true,
      waitWorkerS: 0,
      maxAttempts: 1,
    },
    hint: {},
  });
});

void test('a CONFIG with all parameters, keys in any case', () => {
  const message = read(
    'CONFIG',
    'jvmroute=n1&HOST=%5B::1%25eth0%5D&Port=8443&Type=wss&Balancer=Shop&Domain=east&flushpackets=Auto&flushwait=25&ping=4s&smax=8&ttl=2min&Timeout=1500ms&StickySession=no&StickySessionCookie=SID&StickySessionPath=sid&StickySessionRemove=Yes&StickySessionForce=No&WaitWorker=3&Maxattempts=2&Reversed=true&Color=red',
  );
  assert.ok(message?.type === 'CONFIG');
  const { sticky, ...config } = message.config;
  assert.deepEqual(config, {
    route: 'n1',
    balancer: 'shop',
    group: 'east',
    host: '[::1]',
    port: 8443,
    scheme: 'https',
    typeText: 'wss',
    flushPackets: 'Auto',
    flushWaitMs: 25,
    pingS: 4,
    smax: 8,
    ttlS: 120,
    timeoutS: 1,
    hint: { retries: 2, limits: { upstreamTimeoutMs: 1_500, upstreamIdleMs: 1_500 } },
  });
  assert.deepEqual(sticky, {
    isSticky: false,
    cookie: 'SID',
    path: 'sid',
    isRemoved: true,
    isForced: false,
    waitWorkerS: 3,
    maxAttempts: 2,
  });
});

void test('the faults of CONFIG have the texts of mod_proxy_cluster', () => {
  assert.equal(mess('CONFIG', ''), UNREADABLE);
  assert.equal(mess('CONFIG', `${CONFIG}&Domain=`), UNREADABLE);
  for (const bad of ['%3C', '%3E', '%22', '%27', '%0D', '%0A', '<', '%00'])
    assert.equal(mess('CONFIG', `${CONFIG}&Domain=x${bad}`), UNREADABLE, bad);
  assert.equal(mess('CONFIG', 'Host=127.0.0.1&Port=7001&Type=http'), "SYNTAX SYNTAX: JVMRoute can't be empty");
  const fields: [field: string, most: number, name: string][] = [
    ['JVMRoute', 63, 'JVMRoute field too big'],
    ['Balancer', 39, 'Balancer field too big'],
    ['Domain', 19, 'LBGroup field too big'],
    ['Host', 63, 'Host field too big'],
    ['Type', 15, 'Type field too big'],
    ['StickySessionCookie', 29, 'A field is too big'],
    ['StickySessionPath', 29, 'A field is too big'],
  ];
  for (const [field, most, name] of fields) {
    assert.equal(mess('CONFIG', `${CONFIG}&${field}=${'x'.repeat(most + 1)}`), `SYNTAX SYNTAX: ${name}`);
    if (field !== 'Type') assert.equal(mess('CONFIG', `${CONFIG}&${field}=${'x'.repeat(most)}`), 'accepted', field);
  }
  assert.equal(mess('CONFIG', `${CONFIG}&Port=1111111`), 'SYNTAX SYNTAX: Port field too big');
  assert.equal(mess('CONFIG', `${CONFIG}&ping=x`), 'SYNTAX SYNTAX: Ping field has bad value');
  assert.equal(mess('CONFIG', `${CONFIG}&flushwait=x`), 'SYNTAX SYNTAX: Flushwait field has bad value');
  assert.equal(mess('CONFIG', `${CONFIG}&ttl=x`), 'SYNTAX SYNTAX: TTL field has bad value');
  assert.equal(mess('CONFIG', `${CONFIG}&Timeout=x`), 'SYNTAX SYNTAX: Timeout field has bad value');
  assert.equal(mess('CONFIG', `${CONFIG}&Alias=a`), 'SYNTAX SYNTAX: Alias without Context');
  assert.equal(mess('CONFIG', `${CONFIG}&Context=%2Fa`), 'SYNTAX SYNTAX: Context without Alias');
});

void test('without Type, Host and Port a node is at ajp://localhost:8009, as in httpd', () => {
  const message = read('CONFIG', 'JVMRoute=n1');
  assert.ok(message?.type === 'CONFIG');
  const { scheme, typeText, host, port } = message.config;
  assert.deepEqual([scheme, typeText, host, port], ['ajp', 'ajp', 'localhost', 8009]);
});

void test('what one dialect tolerates is tolerated: tokens without =, empty parts, a raw = in a value', () => {
  assert.equal(mess('CONFIG', `&${CONFIG}&flag&&Color=a=b&`), 'accepted');
});

void test('+ and %20 are a space, %zz stands for itself', () => {
  const message = read('ENABLE-APP', 'JVMRoute=n1&Alias=a+b%20c&Context=%2Fx%zz');
  assert.ok(message?.type === 'ENABLE-APP');
  assert.deepEqual([message.aliases, message.contexts], [['a b c'], ['/x%zz']]);
});

void test('app commands have lists, or are for the whole node', () => {
  assert.deepEqual(read('STOP-APP', 'JVMRoute=n1&Alias=a%2C%2Cb,a&Context=%2Fx%2C%2Fy'), {
    type: 'STOP-APP',
    route: 'n1',
    isNodeWide: false,
    aliases: ['a', 'b'],
    contexts: ['/x', '/y'],
  });
  for (const target of ['*', '/*', '/bridge/*']) {
    const message = read('REMOVE-APP', 'JVMRoute=n1', target);
    assert.ok(message?.type === 'REMOVE-APP' && message.isNodeWide, target);
  }
});

void test('the faults of app commands', () => {
  assert.equal(mess('ENABLE-APP', ''), UNREADABLE);
  assert.equal(mess('ENABLE-APP', 'Alias=a&Context=%2Fa'), "SYNTAX SYNTAX: JVMRoute can't be empty");
  assert.equal(mess('ENABLE-APP', 'JVMRoute=n1'), 'SYNTAX SYNTAX: No Context and Alias in APP command');
  assert.equal(mess('ENABLE-APP', 'JVMRoute=n1&Alias=a'), 'SYNTAX SYNTAX: Alias without Context');
  assert.equal(mess('ENABLE-APP', 'JVMRoute=n1&Context=%2Fa'), 'SYNTAX SYNTAX: Context without Alias');
  assert.equal(mess('ENABLE-APP', 'JVMRoute=n1&Alias=&Context=%2Fa'), 'SYNTAX TODO: Empty Alias is not allowed');
  assert.equal(mess('ENABLE-APP', 'JVMRoute=n1&Alias=a&Context=,'), 'SYNTAX TODO: Empty Context is not allowed');
  const twice = 'JVMRoute=n1&Alias=a&Context=%2Fa';
  assert.equal(mess('ENABLE-APP', `${twice}&Alias=b`), 'SYNTAX SYNTAX: Only one Alias in APP command');
  assert.equal(mess('ENABLE-APP', `${twice}&Context=%2Fb`), 'SYNTAX SYNTAX: Only one Context in APP command');
  assert.equal(
    mess('ENABLE-APP', `JVMRoute=n1&Alias=${'a'.repeat(255)}&Context=%2Fa`),
    'SYNTAX SYNTAX: Alias field too big',
  );
  assert.equal(
    mess('ENABLE-APP', `JVMRoute=n1&Alias=a&Context=%2F${'a'.repeat(79)}`),
    'SYNTAX SYNTAX: Context field too big',
  );
});

void test('STATUS: loads from -1 to 100, none, and -2 as none', () => {
  const load = (text: string): unknown => {
    const message = read('STATUS', `JVMRoute=n1&Load=${text}`);
    return message?.type === 'STATUS' ? message.load : message?.type === 'fault' && `${message.kind} ${message.mess}`;
  };
  assert.deepEqual(['100', '1', '0', '-1', '-2', '5x', '1.5', '%2B7', '007'].map(load), [
    100,
    1,
    0,
    -1,
    undefined,
    5,
    1,
    7,
    7,
  ]);
  for (const text of ['101', '-3', 'abc', '99999999999', ''])
    assert.equal(load(text), 'GENERAL TODO: Bad value for Load');
  assert.deepEqual(read('STATUS', 'JVMRoute=n1'), { type: 'STATUS', route: 'n1' });
  assert.equal(mess('STATUS', 'Load=5'), 'SYNTAX TODO: No JVMRoute given!');
  assert.equal(mess('STATUS', 'JVMRoute=n1&Color=red'), 'SYNTAX SYNTAX: Invalid field "Color" in message');
});

void test('PING in its three forms', () => {
  assert.deepEqual(read('PING'), { type: 'PING' });
  assert.deepEqual(read('PING', 'JVMRoute=n1'), { type: 'PING', route: 'n1' });
  assert.deepEqual(read('PING', 'Scheme=HTTP&Host=127.0.0.1&Port=7001'), {
    type: 'PING',
    address: { scheme: 'http', host: '127.0.0.1', port: '7001' },
  });
  assert.equal(mess('PING', 'Scheme=http&Host=x'), 'SYNTAX SYNTAX: Mandatory field(s) missing in message');
  assert.equal(mess('PING', 'Scheme=udp&Host=x&Port=1'), 'SYNTAX PING Unsupported scheme: udp');
  assert.equal(mess('PING', 'Color=red'), 'SYNTAX SYNTAX: Invalid field "Color" in message');
});

void test('INFO, DUMP and VERSION honour Accept; other methods are unknown', () => {
  assert.deepEqual(read('INFO', '', '/', 'text/html, text/xml;q=0.5'), { type: 'INFO', isXml: true });
  assert.deepEqual(read('DUMP', '', '/*'), { type: 'DUMP', isXml: false });
  for (const method of ['GET', 'ADDID', 'STATUS-RSP']) assert.equal(read(method), undefined);
});

void test('any body: no message throws, and no illegal character comes through', () => {
  const part = fc.oneof(
    fc.constantFrom(
      'JVMRoute=',
      'Alias=',
      'Context=',
      'Load=',
      'Type=http',
      '&',
      '=',
      '%',
      '%2',
      '%3C',
      ',',
      '/a',
      'n1',
    ),
    fc.nat(255).map((code) => String.fromCharCode(code)),
  );
  fc.assert(
    fc.property(fc.constantFrom(...METHODS), fc.array(part, { maxLength: 40 }), (method, parts) => {
      const message = read(method, parts.join(''));
      assert.doesNotMatch(JSON.stringify(message).replaceAll('\\"', '"').replaceAll('"', ''), /[<>\r\n]/);
    }),
    { numRuns: 1_000 },
  );
});
