/**
 * JSON Schema 2020-12 of the agent protocol, for authors of agents and for tools. The codec is authoritative; a property test
 * keeps the schema equal to it. With UPDATE=1 the test writes the schema to `schema/agent.schema.json`.
 */
import { MAX_REASON_CHARACTERS } from '../admin.ts';
import { MAX_COORDINATOR_URL_LENGTH } from '../agent-url.ts';
import {
  FAILOVERS,
  MAX_CAUSE_CHARACTERS,
  MAX_CONTEXTS,
  MAX_FAILING_COPIES,
  MAX_HOSTS,
  STATUSES,
  STICKY_MODES,
} from '../messages.ts';

/** A JSON Schema, or a part of one. */
export type JsonSchema = { readonly [keyword: string]: unknown };

const MAX_COUNT = Number.MAX_SAFE_INTEGER;
const MAX_VALUE = 1e15;
const DAY_MS = 86_400_000;
const NULL = { type: 'null' };
const RESERVED = ['__proto__', 'constructor', 'prototype'];
const NOT_RESERVED = { not: { enum: RESERVED } };
const BOOLEAN = { type: 'boolean' };
const STATUS = { enum: STATUSES };
const INSTANCE = { type: 'string', pattern: '^[0-9a-f]{32}$' };

const SEGMENT = "[A-Za-z0-9._~!$&'()*+,=:@-]+";
const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const PORT = '(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])';
const IPV6 = '\\[[0-9A-Fa-f:.]{2,45}\\]';
/** Host name, but not one whose last label is a number: URL parsers read it as an IPv4 address. */
const PLAIN_HOST = '(?!(?:[A-Za-z0-9._-]*\\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*):)[A-Za-z0-9._-]{1,253}';
const LABEL = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?';

function string(pattern: string, maxLength?: number): JsonSchema {
  return { type: 'string', ...(maxLength !== undefined && { maxLength }), pattern };
}

function text(maxLength: number): JsonSchema {
  return string('^[^\\u0000-\\u001f\\u007f-\\u009f]*$', maxLength);
}

function number(minimum: number, maximum: number): JsonSchema {
  return { type: 'number', minimum, maximum };
}

function integer(minimum: number, maximum: number): JsonSchema {
  return { type: 'integer', minimum, maximum };
}

function list(items: JsonSchema, maxItems: number, minItems = 0): JsonSchema {
  return { type: 'array', items, ...(minItems > 0 && { minItems }), maxItems };
}

function map(values: JsonSchema, maxProperties: number): JsonSchema {
  return { type: 'object', maxProperties, propertyNames: ref('Name'), additionalProperties: optional(values) };
}

function optional(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, NULL] };
}

function object(required: Record<string, JsonSchema>, others: Record<string, JsonSchema> = {}): JsonSchema {
  const optionals = Object.entries(others).map(([name, schema]) => [name, optional(schema)]);
  return {
    type: 'object',
    properties: { ...required, ...Object.fromEntries(optionals) },
    required: Object.keys(required),
    propertyNames: NOT_RESERVED,
  };
}

function ref(name: string): JsonSchema {
  return { $ref: `#/$defs/${name}` };
}

function message(type: string, required: Record<string, JsonSchema>, others: Record<string, JsonSchema> = {}) {
  return object({ type: { const: type }, ...required }, others);
}

const COORDINATORS = list({ type: 'string', maxLength: MAX_COORDINATOR_URL_LENGTH }, 16);
const HOSTS = list(ref('HostPattern'), MAX_HOSTS, 1);
const PACE = {
  heartbeatMs: number(20, 60_000),
  suspectMs: number(40, 600_000),
  leaseMs: number(100, 3_600_000),
};

const DEFINITIONS: Readonly<Record<string, JsonSchema>> = {
  AgentMessage: { anyOf: ['Register', 'Heartbeat', 'NodeStatus', 'Leave'].map(ref) },
  CoordinatorMessage: {
    anyOf: ['Registered', 'OperatorStatus', 'Drained', 'Pace', 'Scale', 'Coordinators', 'Disconnected', 'Error'].map(
      ref,
    ),
  },
  Register: message('register', { node: ref('Node') }),
  Heartbeat: message(
    'heartbeat',
    {},
    {
      seq: integer(0, MAX_COUNT),
      load: number(0, Number.MAX_VALUE),
      sessions: integer(0, MAX_COUNT),
      inFlight: integer(0, MAX_COUNT),
      ready: BOOLEAN,
      readyReason: text(MAX_CAUSE_CHARACTERS),
      serviceMs: number(0, DAY_MS),
      metrics: map(number(0, MAX_VALUE), 32),
      values: map(number(-MAX_VALUE, MAX_VALUE), 32),
      scales: map(ref('MetricScale'), 32),
      failing: list(
        object(
          { copy: integer(1, 1_000), attempts: integer(1, MAX_COUNT), cause: text(MAX_CAUSE_CHARACTERS) },
          { retryMs: number(0, DAY_MS) },
        ),
        MAX_FAILING_COPIES,
      ),
    },
  ),
  NodeStatus: message(
    'status',
    { status: STATUS },
    {
      reason: text(MAX_REASON_CHARACTERS),
      contexts: list(ref('ContextPath'), MAX_CONTEXTS),
      deadlineMs: number(0, DAY_MS),
      holdMs: number(0, DAY_MS),
    },
  ),
  Leave: message('leave', {}),
  Registered: message(
    'registered',
    { node: ref('Node') },
    {
      ...PACE,
      epoch: text(64),
      coordinatorId: { type: 'string', pattern: '^[0-9a-f]{1,32}$' },
      coordinatorUrl: text(512),
      coordinators: COORDINATORS,
      warnings: list(object({}, { code: text(64), message: text(1_024) }), 16),
    },
  ),
  OperatorStatus: message(
    'status',
    { status: STATUS },
    { reason: text(MAX_REASON_CHARACTERS), deadlineMs: number(0, MAX_COUNT) },
  ),
  Drained: message('drained', {}),
  Budget: message('budget', { holdMs: number(0, DAY_MS) }, { message: text(1_024) }),
  Pace: message('pace', {}, PACE),
  Scale: message('scale', { count: integer(1, 1_000) }),
  Coordinators: message('coordinators', { coordinators: COORDINATORS }),
  Disconnected: message('disconnected', {}, { message: text(1_024) }),
  Error: message('error', {}, { code: text(64), message: text(1_024), holderConnected: BOOLEAN }),
  Node: object(
    { id: ref('Name'), balancer: ref('Name'), url: ref('NodeUrl') },
    {
      route: ref('Name'),
      contexts: list(object({ path: ref('ContextPath') }, { hosts: HOSTS }), MAX_CONTEXTS, 1),
      stripPrefix: BOOLEAN,
      hosts: HOSTS,
      weight: number(0.001, 100),
      group: ref('Name'),
      incarnation: integer(0, MAX_COUNT),
      instance: INSTANCE,
      proves: BOOLEAN,
      process: object({}, { host: text(255), pid: integer(1, 4_294_967_295) }),
      version: text(64),
      keepAliveMs: integer(0, 3_600_000),
      publicUrl: string('^https?://[!#-&(-;=?-\\[\\]_a-z~]{1,500}$'),
      sticky: ref('StickyHint'),
      copies: object({ wrapper: INSTANCE, kept: integer(1, 1_000), most: integer(1, 1_000) }),
      cores: number(0.001, 1_024),
      loadHeader: BOOLEAN,
      readyPath: string('^/[!-~]{0,255}$'),
      meta: map(text(256), 16),
    },
  ),
  StickyHint: object(
    {},
    {
      mode: { enum: STICKY_MODES },
      cookies: list(string("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$"), 16),
      parameters: list(string('^[A-Za-z0-9._~-]{1,64}$'), 16),
      failover: { enum: FAILOVERS },
      remove: BOOLEAN,
      movable: BOOLEAN,
    },
  ),
  MetricScale: object(
    { capacity: number(Number.MIN_VALUE, MAX_VALUE), weight: number(0, MAX_VALUE) },
    { unit: text(16), isLimit: BOOLEAN, from: number(0, 0.99), isSoft: BOOLEAN },
  ),
  Name: { ...string('^[A-Za-z0-9_-]{1,64}$'), ...NOT_RESERVED },
  ContextPath: string(`^(?!.*/\\.{1,2}(?:/|$))/(?:${SEGMENT}(?:/${SEGMENT})*)?$`, 256),
  HostPattern: string(`^(?:\\*|\\[[0-9A-Fa-f:.]{2,45}\\]|(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*\\.?)$`, 254),
  NodeUrl: string(`^(?:https?|ajp)://(?:${IPV6}|(?:${OCTET}\\.){3}${OCTET}|${PLAIN_HOST}):${PORT}/?$`, 512),
};

export const AGENT_SCHEMA: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Rollcall agent protocol, version 1',
  description: 'Messages of both directions; PROTOCOL.md specifies their meaning and order.',
  anyOf: [ref('AgentMessage'), ref('CoordinatorMessage')],
  $defs: DEFINITIONS,
};
