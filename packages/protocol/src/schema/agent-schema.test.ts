import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { Compile } from 'typebox/schema';
import { decodeAgentMessage, decodeCoordinatorMessage } from '../codec.ts';
import { MAX_FRAME_BYTES } from '../messages.ts';
import { type Mutation, mutated, placesOf, VALUES } from '../testing/mutated-message.ts';
import { AGENT_SCHEMA } from './agent-schema.ts';

const FILE = new URL('../../schema/agent.schema.json', import.meta.url);
/** Fixed seeds. Each run adds a random one, which is printed on failure. */
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
  contexts: [{ path: '/' }, { path: '/a/b~c' }, { path: '/', hosts: ['a.example.net', '*'] }],
  hosts: ['*', '*.example.net', 'Shop.example.net'],
  weight: 1,
  group: 'eu-1',
  incarnation: 1_795_216_422_546,
  instance: '9f86d081884c7d659a2feaa0c55ad015',
  proves: true,
  stripPrefix: true,
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
/** `REGISTER` is repeated, so that it is chosen more often: it has most of the fields that can be wrong. */
const AGENT_MESSAGES: readonly object[] = [
  REGISTER,
  REGISTER,
  {
    type: 'heartbeat',
    seq: 1,
    load: 0.5,
    sessions: 3,
    inFlight: 1,
    ready: false,
    readyReason: 'answers 503 at /up',
    serviceMs: 4.2,
    metrics: { cpu: 0.4 },
    values: { cpu: -0.4 },
    scales: { cpu: { capacity: 1, weight: 1, unit: 'ms', isLimit: true, from: 0.5, isSoft: false } },
    failing: [{ copy: 7, attempts: 3, cause: 'port 34104 is taken', retryMs: 8_000 }],
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
    coordinatorId: '5f0c9b7e',
    coordinatorUrl: 'ws://10.0.0.2:8400',
    coordinators: ['ws://10.0.0.2:8400'],
    warnings: [{ code: 'superseded', message: 'a sentence' }],
  },
  { type: 'status', status: 'draining', reason: 'deploy', deadlineMs: 60_000 },
  { type: 'drained' },
  { type: 'pace', ...PACE },
  { type: 'scale', count: 4 },
  { type: 'coordinators', coordinators: ['ws://10.0.0.2:8400', 'ws://10.0.0.3:8400'] },
  { type: 'disconnected', message: 'lost the coordinator' },
  { type: 'error', code: 'id-taken', message: 'a sentence', holderConnected: true },
];

const mutation: fc.Arbitrary<Mutation> = fc.record({
  place: fc.nat(1_000),
  how: fc.constantFrom<Mutation['how'][]>('replace', 'replace', 'replace', 'delete', 'add', 'repeat'),
  what: fc.nat(10_000),
});

test('agent.schema.json is current: UPDATE=1 writes it', () => {
  const text = `${JSON.stringify(AGENT_SCHEMA, undefined, 2)}\n`;
  if (process.env['UPDATE']) writeFileSync(FILE, text);
  assert.equal(readFileSync(FILE, 'utf8'), text);
});

for (const [side, messages, decode, schema] of [
  ['agent', AGENT_MESSAGES, decodeAgentMessage, agent],
  ['coordinator', COORDINATOR_MESSAGES, decodeCoordinatorMessage, coordinator],
] as const)
  test(`the schema accepts the same messages of the ${side} as the codec`, () => {
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

/** Copies of the message, each with the value in one of its places. */
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

test('codec and schema differ only for long texts of surrogate pairs and long messages', () => {
  const emoji = { type: 'status', status: 'stopped', reason: '\u{1f600}'.repeat(200) };
  assert.equal(decodeAgentMessage(JSON.stringify(emoji)).type, 'malformed');
  assert.ok(agent.Check(emoji));
  const long = { type: 'leave', x: 'x'.repeat(MAX_FRAME_BYTES) };
  assert.equal(decodeAgentMessage(JSON.stringify(long)).type, 'malformed');
  assert.ok(agent.Check(long));
});
