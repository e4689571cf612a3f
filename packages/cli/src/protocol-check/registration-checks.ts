/** Sections 2 to 4: names, fields and reports of nodes. */
import { Deviation } from './bench.ts';
import { type BadMessage, type Check, expectRefusals } from './check.ts';

/** Names that would end up in cookies, metrics and pages if they were not refused. */
const BAD_NAMES: readonly string[] = [
  '',
  'a;b',
  'a.b',
  'a,b',
  'a=b',
  'a b',
  'a"b',
  'a\r\nset-cookie: x=y',
  'a%0d%0ab',
  'a\u0000b',
  'x'.repeat(300),
  'shоp',
  'node-\u{1f600}',
  'a\u202eb',
  '..',
  '__proto__',
  'constructor',
  'prototype',
  '<img src=x onerror=alert(1)>',
];

const BAD_URLS: readonly string[] = [
  'http://2130706433:80',
  'http://0x7f.1:80',
  'http://10.0.0.5',
  'http://10.0.0.5:0',
  'http://10.0.0.5:65536',
  'http://10.0.0.5:-1',
  'http://10.0.0.5:80 ',
  'http://10.0.0.5:80/path',
  'http://10.0.0.5:80?x',
  'http://user:secret@10.0.0.5:80',
  'ftp://10.0.0.5:80',
  '//10.0.0.5:80',
];

const BAD_NUMBERS: readonly string[] = [
  '"load":1e999',
  '"load":-1',
  '"load":"5"',
  '"load":"NaN"',
  '"load":[]',
  '"sessions":1.5',
  '"sessions":9007199254740992',
  '"inFlight":-1',
  '"serviceMs":86400001',
  '"ready":1',
  '"metrics":{"cpu":-1}',
  '"metrics":[]',
];

export const REGISTRATION_CHECKS: readonly Check[] = [
  {
    id: 'register-defaults',
    section: '3.1',
    requires: 'A registration without optional fields is accepted, and registered names the defaults.',
    async run(bench) {
      const peer = await bench.connect();
      const { instance: _, ...node } = await bench.node('a');
      const { node: accepted } = await peer.register(node as { id: string });
      const seen = accepted as Record<string, unknown>;
      expectEqual(seen, { ...node, route: node.id, contexts: [{ path: '/' }], weight: 1, loadHeader: false, meta: {} });
      if (typeof seen['incarnation'] !== 'number') throw new Deviation('registered has no incarnation');
      return 'all defaults';
    },
  },
  {
    id: 'register-pace',
    section: '4.1',
    requires: 'registered carries heartbeatMs, suspectMs and leaseMs in this order of size, an epoch, and two lists.',
    async run(bench) {
      const peer = await bench.connect();
      const answer = await peer.register(await bench.node('a'));
      const [heartbeatMs, suspectMs, leaseMs] = ['heartbeatMs', 'suspectMs', 'leaseMs'].map((name) =>
        typeof answer[name] === 'number' ? answer[name] : Number.NaN,
      ) as [number, number, number];
      const { epoch, coordinators, warnings } = answer;
      if (!(20 <= heartbeatMs && heartbeatMs < suspectMs && suspectMs < leaseMs && leaseMs <= 3_600_000))
        throw new Deviation(`heartbeatMs ${heartbeatMs}, suspectMs ${suspectMs}, leaseMs ${leaseMs}`);
      if (typeof epoch !== 'string' || epoch.length > 64) throw new Deviation(`epoch ${String(epoch)}`);
      if (!Array.isArray(coordinators) || !Array.isArray(warnings))
        throw new Deviation('coordinators or warnings is no list');
      return `heartbeats every ${heartbeatMs} ms, suspect after ${suspectMs} ms, lease ${leaseMs} ms`;
    },
  },
  {
    id: 'register-all-fields',
    section: '3.1',
    requires: 'A registration with all fields is accepted as it is.',
    async run(bench) {
      const peer = await bench.connect();
      const node = await bench.node('a', {
        contexts: [{ path: '/' }, { path: '/protocol-check/a~b' }],
        weight: 0.5,
        group: 'eu-1',
        incarnation: 1,
        version: '1.4.2',
        keepAliveMs: 5_000,
        publicUrl: 'https://node.invalid/x',
        sticky: {
          mode: 'suffix',
          cookies: ['connect.sid'],
          parameters: ['_s'],
          failover: 'any',
          remove: false,
          movable: false,
        },
        cores: 2,
        loadHeader: true,
        readyPath: '/ready?deep=1',
        process: { host: 'web1', pid: 812 },
        meta: { build: 'a b c' },
      });
      const { node: accepted } = await peer.register(node);
      expectEqual(accepted as Record<string, unknown>, node);
      return 'all fields as sent';
    },
  },
  {
    id: 'register-unknown-fields',
    section: '1',
    requires: 'Unknown fields are ignored and not kept.',
    async run(bench) {
      const peer = await bench.connect();
      const { node } = await peer.register(await bench.node('a', { protocolCheck: { x: [1] } }));
      if (Object.hasOwn(node as object, 'protocolCheck')) throw new Deviation('registered has the unknown field');
      return 'ignored';
    },
  },
  {
    id: 'register-null-fields',
    section: '1',
    requires: 'A field that is null counts as absent.',
    async run(bench) {
      const peer = await bench.connect();
      const { node } = await peer.register(await bench.node('a', { weight: null, contexts: null, sticky: null }));
      expectEqual(node as Record<string, unknown>, { weight: 1, contexts: [{ path: '/' }] });
      return 'the defaults';
    },
  },
  {
    id: 'register-missing-fields',
    section: '3.1',
    requires: 'A registration without id, balancer or url gets missing-field.',
    async run(bench) {
      const node = await bench.node('a');
      return expectRefusals(
        bench,
        ['id', 'balancer', 'url'].map((field) => ({
          what: `no ${field}`,
          message: { type: 'register', node: { ...node, [field]: undefined } },
          codes: ['missing-field'],
        })),
      );
    },
  },
  {
    id: 'register-first',
    section: '1.1',
    requires: 'Messages before register get not-registered, and the connection stays.',
    async run(bench) {
      const peer = await bench.connect();
      for (const type of ['heartbeat', 'leave']) {
        peer.send({ type });
        await peer.expectError('not-registered');
      }
      await peer.register(await bench.node('a'));
      return 'not-registered, then registered';
    },
  },
  {
    id: 'register-again',
    section: '4.1',
    requires: 'A node may register again on its connection; another id there gets already-registered.',
    async run(bench) {
      const peer = await bench.connect();
      const node = await bench.node('a');
      await peer.register(node);
      const { node: accepted } = await peer.register({ ...node, weight: 2 });
      expectEqual(accepted as Record<string, unknown>, { id: node.id, weight: 2 });
      peer.send({ type: 'register', node: { ...node, id: `${node.id}-other` } });
      await peer.expectError('already-registered');
      return 'registered with the new weight; another id refused';
    },
  },
  {
    id: 'names-refused',
    section: '2',
    requires: 'Names other than [A-Za-z0-9_-]{1,64} are refused with bad-name, as id, balancer, route and group.',
    async run(bench) {
      const node = await bench.node('a');
      const bad = (field: string, name: string): BadMessage => ({
        what: `${field} ${JSON.stringify(name.slice(0, 40))}`,
        message: { type: 'register', node: { ...node, [field]: name } },
        codes: ['bad-name'],
      });
      return expectRefusals(bench, [
        ...BAD_NAMES.map((name) => bad('route', name)),
        ...['id', 'balancer', 'group'].flatMap((field) => ['a.b', '<b>', '__proto__'].map((name) => bad(field, name))),
      ]);
    },
  },
  {
    id: 'names-case',
    section: '2',
    requires: 'Names are case-sensitive: routes that differ in case are two.',
    async run(bench) {
      const [one, other] = [await bench.connect(), await bench.connect()];
      await one.register(await bench.node('a', { route: `${bench.prefix}-R` }));
      await other.register(await bench.node('b', { route: `${bench.prefix}-r` }));
      return 'both registered';
    },
  },
  {
    id: 'addresses-refused',
    section: '2',
    requires: 'An address other than http(s)://HOST:PORT is refused with bad-address.',
    async run(bench) {
      const node = await bench.node('a');
      return expectRefusals(
        bench,
        BAD_URLS.map((url) => ({
          what: url,
          message: { type: 'register', node: { ...node, url } },
          codes: ['bad-address'],
        })),
      );
    },
  },
  {
    id: 'fields-refused',
    section: '3.1',
    requires: 'Fields of a registration that are out of range are refused with bad-field.',
    async run(bench) {
      const node = await bench.node('a');
      const bad: Record<string, readonly unknown[]> = {
        weight: [0, 1e9, -1],
        contexts: [
          [],
          [{ path: '/a/../b' }],
          [{ path: '/a%2fb' }],
          Array.from({ length: 129 }, (_, i) => ({ path: `/${i}` })),
        ],
        hosts: [[], ['a:80'], Array.from({ length: 17 }, () => 'a.invalid')],
        version: ['x'.repeat(65), 'a\u0007b', 5],
        keepAliveMs: [-1, 3_600_001, 0.5],
        instance: ['A'.repeat(32), 'abc', 5],
        readyPath: ['health', '//\r\n', `/${'x'.repeat(256)}`],
        meta: [{ 'a.b': 'x' }, { a: 'x'.repeat(257) }, []],
        sticky: [{ mode: 'other' }, { cookies: ['a;b'] }, { parameters: ['a b'] }],
      };
      const messages = Object.entries(bad).flatMap(([field, values]) =>
        values.map((value) => ({
          what: `${field} ${JSON.stringify(value).slice(0, 40)}`,
          message: { type: 'register', node: { ...node, [field]: value } },
          codes: ['bad-field', 'bad-name'],
        })),
      );
      return expectRefusals(bench, messages);
    },
  },
  {
    id: 'numbers-refused',
    section: '3.2',
    requires: 'Numbers that are not finite, or out of range, are refused with bad-field; NaN is not JSON.',
    async run(bench) {
      const messages = [
        ...BAD_NUMBERS.map((field) => ({
          what: field,
          message: `{"type":"heartbeat",${field}}`,
          codes: ['bad-field', 'bad-name'],
        })),
        { what: 'NaN', message: '{"type":"heartbeat","load":NaN}', codes: ['bad-message'] },
      ];
      return expectRefusals(bench, messages, async (peer) => peer.register(await bench.node('a')));
    },
  },
  {
    id: 'numbers-accepted',
    section: '3.2',
    requires: 'Numbers at the edge of their range, null and absent fields, and repeated seq are accepted.',
    async run(bench) {
      const peer = await bench.connect();
      await peer.register(await bench.node('a'));
      const beats = [
        {},
        { seq: 5, load: -0, sessions: 0, inFlight: Number.MAX_SAFE_INTEGER },
        { seq: 5, load: 1e308 },
        { seq: 4, load: 0.5, ready: false },
        { load: null, metrics: null, serviceMs: 86_400_000 },
        { metrics: { cpu: 7 }, values: { cpu: -1e15 }, scales: { cpu: { capacity: 1, weight: 0 } }, unknown: 1 },
      ];
      for (const beat of beats) peer.send({ type: 'heartbeat', ...beat });
      await peer.expectNoComplaint();
      return `${beats.length} accepted`;
    },
  },
];

/** Throws a deviation unless `seen` has all fields of `expected`; further fields are allowed. */
function expectEqual(seen: Record<string, unknown>, expected: Record<string, unknown>): void {
  for (const [field, value] of Object.entries(expected)) {
    if (sorted(seen[field]) !== sorted(value))
      throw new Deviation(`${field} is ${JSON.stringify(seen[field]) ?? 'absent'} instead of ${JSON.stringify(value)}`);
  }
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
