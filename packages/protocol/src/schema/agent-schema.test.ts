import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { Compile } from 'typebox/schema';
import { decodeAgentMessage, decodeCoordinatorMessage } from '../codec.ts';
import { MAX_FRAME_BYTES } from '../messages.ts';
import { AGENT_SCHEMA } from './agent-schema.ts';

const FILE = new URL('../../schema/agent.schema.json', import.meta.url);
/** Seeds that stay; each run adds one of its own, which is printed when it finds something. */
const SEEDS: readonly number[] = [1, 20_261_201, 65_536, -7];

interface Schema {
  Check(value: unknown): boolean;
}

const agent: Schema = Compile({ ...AGENT_SCHEMA, anyOf: undefined, $ref: '#/$defs/AgentMessage' });
const coordinator: Schema = Compile({ ...AGENT_SCHEMA, anyOf: undefined, $ref: '#/$defs/CoordinatorMessage' });

const NODE = {
  id: 'shop-1',
  balancer: 'shop',
  url: 'http://10.0.0.5:3000',
  route: 'shop-1',
  contexts: [{ path: '/' }, { path: '/a/b~c' }],
  hosts: ['*', '*.example.net', 'Shop.example.net'],
  weight: 1,
  group: 'eu-1',
  incarnation: 1_795_216_422_546,
  instance: '9f86d081884c7d659a2feaa0c55ad015',
  proves: true,
  process: { host: 'web1', pid: 812 },
  version: '1.4.2',
  keepAliveMs: 5_000,
  publicUrl: 'https://node.example.net/x?y=1',
  sticky: {
    mode: 'suffix',
    cookies: ['connect.sid'],
    parameters: ['_s'],
    failover: 'any',
    remove: false,
    movable: true,
  },
  copies: { wrapper: '9f86d081884c7d659a2feaa0c55ad015', kept: 2, most: 8 },
  cores: 2,
  loadHeader: true,
  readyPath: '/ready?x=1',
  meta: { build: 'a b' },
};
const PACE = { heartbeatMs: 1_000, suspectMs: 3_000, leaseMs: 20_000 };
const REGISTER = { type: 'register', node: NODE };
/** A registration has most of what can be wrong. */
const AGENT_MESSAGES: readonly object[] = [
  REGISTER,
  REGISTER,
  {
    type: 'heartbeat',
    seq: 1,
    load: 0.5,
    sessions: 3,
    inFlight: 1,
    ready: true,
    serviceMs: 4.2,
    metrics: { cpu: 0.4 },
    values: { cpu: -0.4 },
    scales: { cpu: { capacity: 1, weight: 1, unit: 'ms', isLimit: true, from: 0.5, isSoft: false } },
  },
  { type: 'status', status: 'stopped', reason: 'SIGTERM', contexts: ['/app'], deadlineMs: 8_000 },
  { type: 'leave' },
];
const COORDINATOR_MESSAGES: readonly object[] = [
  {
    type: 'registered',
    node: NODE,
    ...PACE,
    epoch: 'k3J0',
    coordinators: ['ws://10.0.0.2:8400'],
    warnings: [{ code: 'superseded', message: 'a sentence' }],
  },
  { type: 'status', status: 'draining', reason: 'deploy', deadlineMs: 60_000 },
  { type: 'drained' },
  { type: 'pace', ...PACE },
  { type: 'scale', count: 4 },
  { type: 'disconnected', message: 'lost the coordinator' },
  { type: 'error', code: 'id-taken', message: 'a sentence', holderConnected: true },
];

/** Values at the edges of what is read, and far outside. All texts are ASCII or of one code unit a character. */
const VALUES: readonly unknown[] = [
  ...[null, true, false, [], {}, [[]], [{}], [null], { a: 1 }, { path: '/' }, [{ path: null }]],
  ...[0, -0, 1, -1, 0.5, 0.001, 0.0009, 0.99, 1.01, 19, 20, 39, 40, 99, 100, 101, 1_000, 1_001, 1_024, 1_025],
  ...[60_000, 60_001, 600_001, 3_600_000, 3_600_001, 86_400_000, 86_400_001, 4_294_967_295, 4_294_967_296],
  ...[2 ** 53 - 1, 2 ** 53, 1e15, 1.1e15, 1e308, Number.MIN_VALUE],
  ...['', 'a', 'A_-9', 'a.b', 'a b', 'x'.repeat(16), 'x'.repeat(17), 'x'.repeat(64), 'x'.repeat(65), '__proto__'],
  ...['x'.repeat(255), 'x'.repeat(256), 'x'.repeat(257), 'x'.repeat(512), 'x'.repeat(513), 'x'.repeat(1_025)],
  ...['constructor', 'prototype', 'a\nb', 'a\u007fb', 'a\u0085b', 'grün', 'shоp', '<b>', 'enabled', 'eager', 'rewrite'],
  ...['http://a:1', 'https://[::1]:65535', 'http://a:65536', 'http://a:0', 'http://a:01', 'http://a', 'http://a:1/'],
  ...['http://a:1/x', 'http://1.2.3.4:80', 'http://1.2.3:80', 'http://256.1.1.1:80', 'http://0x7f.1:80', 'http://1:80'],
  ...['http://a.1:80', 'http://1.2.3.4.:80', 'http://a.0x:80', 'http://u@a:1', 'HTTP://a:1', 'http://A_b-c.d:80'],
  ...['/', '/a', '/a/', '//', '/a//b', '/..', '/../a', '/a/..', '/a/./b', '/...', '/a%2f', '/a;b', '/a?b', '/é'],
  ...['*', '*.a', '*.', '**', 'a.', '.a', '-a', 'a-', 'a:80', '[::1]', '[x]', 'K.example', 'A.b'],
  ...['0'.repeat(32), 'A'.repeat(32), 'https://x', 'https://x/"', "https://x/'", 'https://x/[]', 'ftp://x'],
  ...[Array.from({ length: 17 }, () => 'a'), Array.from({ length: 16 }, () => 'a'), ['a'], ['/'], ['/..'], ['a b']],
  Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, 1])),
  Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 'x'])),
];
const KEYS = ['__proto__', 'constructor', 'prototype', 'unknown', 'a.b', 'type', ''];

interface Mutation {
  readonly place: number;
  readonly how: 'replace' | 'delete' | 'add' | 'repeat';
  readonly what: number;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  place: fc.nat(1_000),
  how: fc.constantFrom<Mutation['how'][]>('replace', 'replace', 'replace', 'delete', 'add', 'repeat'),
  what: fc.nat(10_000),
});

/** A message with parts replaced, taken away, added and repeated. */
function mutated(message: object, mutations: readonly Mutation[]): object {
  const copy = structuredClone(message);
  for (const { place, how, what } of mutations) {
    const places = placesOf(copy);
    if (places.length === 0) break;
    const [holder, key] = places[place % places.length]!;
    const value = structuredClone(VALUES[what % VALUES.length]);
    if (how === 'replace') put(holder, key, value);
    else if (how === 'delete') delete holder[key];
    else if (how === 'add') put(holder, KEYS[what % KEYS.length]!, value);
    else if (Array.isArray(holder)) while (holder.length < 17) holder.push(holder[Number(key)]);
  }
  return copy;
}

function put(holder: Record<string, unknown>, key: string, value: unknown): void {
  if (Array.isArray(holder) && !/^\d+$/.test(key)) return;
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

function placesOf(value: object): [Record<string, unknown>, string][] {
  return Object.entries(value).flatMap(([key, part]: [string, unknown]) => [
    [value as Record<string, unknown>, key] as [Record<string, unknown>, string],
    ...(typeof part === 'object' && part !== null ? placesOf(part) : []),
  ]);
}

test('agent.schema.json is current: UPDATE=1 writes it', () => {
  const text = `${JSON.stringify(AGENT_SCHEMA, undefined, 2)}\n`;
  if (process.env['UPDATE']) writeFileSync(FILE, text);
  assert.equal(readFileSync(FILE, 'utf8'), text);
});

for (const [side, messages, decode, schema] of [
  ['agent', AGENT_MESSAGES, decodeAgentMessage, agent],
  ['coordinator', COORDINATOR_MESSAGES, decodeCoordinatorMessage, coordinator],
] as const)
  test(`what the codec accepts of the ${side} the schema accepts, and nothing else`, () => {
    let [accepted, refused] = [0, 0];
    for (const message of new Set(messages))
      for (const value of [message, ...VALUES.flatMap((_, what) => oneByOne(message, what))]) {
        const isAccepted = agree(value, decode, schema);
        if (isAccepted) accepted += 1;
        else refused += 1;
      }
    assert.ok(accepted > 500 && refused > 500, `${accepted} accepted, ${refused} refused`);
    for (const seed of [...SEEDS, Math.floor(Math.random() * 2 ** 31)])
      fc.assert(
        fc.property(
          fc.constantFrom(...messages),
          fc.array(mutation, { minLength: 1, maxLength: 4 }),
          (base, mutations) => {
            agree(mutated(base, mutations), decode, schema);
          },
        ),
        { seed, numRuns: 150 },
      );
  });

/** The message with this value in each of its places, one at a time. */
function oneByOne(message: object, what: number): object[] {
  return placesOf(message).map((_, place) => mutated(message, [{ place, how: 'replace', what }]));
}

function agree(value: object, decode: typeof decodeAgentMessage | typeof decodeCoordinatorMessage, schema: Schema) {
  const text = JSON.stringify(value);
  const decoded = decode(text);
  const isAccepted = decoded.type !== 'malformed';
  assert.equal(
    schema.Check(JSON.parse(text)),
    isAccepted,
    `the codec ${isAccepted ? 'accepts' : 'refuses'} ${text} (${JSON.stringify(decoded)})`,
  );
  return isAccepted;
}

test('codec and schema differ where a schema cannot say it: long texts of surrogate pairs, and long messages', () => {
  const emoji = { type: 'status', status: 'stopped', reason: '\u{1f600}'.repeat(200) };
  assert.equal(decodeAgentMessage(JSON.stringify(emoji)).type, 'malformed');
  assert.ok(agent.Check(emoji));
  const long = { type: 'leave', x: 'x'.repeat(MAX_FRAME_BYTES) };
  assert.equal(decodeAgentMessage(JSON.stringify(long)).type, 'malformed');
  assert.ok(agent.Check(long));
});
