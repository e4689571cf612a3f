/**
 * Encodes and decodes the messages of both directions of the agent protocol. Decoders drop unknown fields and add defaults.
 * They never throw: for any other text they return `Malformed` with a stable code.
 */

import { MAX_REASON_CHARACTERS } from './admin.ts';
import { MAX_COORDINATOR_URL_LENGTH } from './agent-url.ts';
import type { Fields, Malformed } from './fields.ts';
import { COUNT, DAY_MS, malformed, readFields } from './fields.ts';
import type { HostPattern, NodeUrl, Route } from './ids.ts';
import {
  isName,
  parseBalancerName,
  parseContextPath,
  parseGroupName,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from './ids.ts';
import type {
  AgentMessage,
  CoordinatorMessage,
  Copies,
  FailingCopy,
  HeartbeatMessage,
  MetricScale,
  NodeProcess,
  NodeRegistration,
  NodeStatusMessage,
  RegisteredMessage,
  StickyHint,
} from './messages.ts';
import {
  DEFAULT_LEASE_MS,
  FAILOVERS,
  MAX_CAUSE_CHARACTERS,
  MAX_CONTEXTS,
  MAX_FAILING_COPIES,
  MAX_FRAME_BYTES,
  MAX_HOSTS,
  MAX_PLACES_LENGTH,
  placesLength,
  STATUSES,
  STICKY_MODES,
} from './messages.ts';
import { parseCookieName } from './route-cookie.ts';
import { isCoordinatorId } from './version.ts';

const MAX_METRICS = 32;
/** Largest absolute value of a metric. */
const MAX_VALUE = 1e15;
const NAME_RULE = '[A-Za-z0-9_-]{1,64}';
/** Parameter name that needs no escaping in a path or query. */
const PARAMETER_NAME = /^[A-Za-z0-9._~-]{1,64}$/;
const INSTANCE = /^[0-9a-f]{32}$/;

/** Encodes one message as the text of one frame. */
export function encode(message: AgentMessage | CoordinatorMessage): string {
  return JSON.stringify(message);
}

/** Decodes a frame from an agent. */
export function decodeAgentMessage(text: string): AgentMessage | Malformed {
  const read = readFields(text, MAX_FRAME_BYTES);
  if (!('fields' in read)) return read;
  const { fields, type } = read;
  const message = agentMessage(type, fields);
  return fields.fault ?? message ?? unknownType(type);
}

function agentMessage(type: unknown, fields: Fields): AgentMessage | undefined {
  switch (type) {
    case 'heartbeat':
      return heartbeat(fields);
    case 'register': {
      const node = fields.object('node') ?? fields.missing('node');
      const registration = node && readRegistration(node);
      return registration && { type: 'register', node: registration };
    }
    case 'status':
      return nodeStatus(fields);
    case 'leave':
      return { type: 'leave' };
    default:
      return undefined;
  }
}

function unknownType(type: unknown): Malformed {
  if (typeof type !== 'string') return malformed('missing-field', 'type is missing or not text');
  return malformed('unknown-message', `no message of type ${JSON.stringify(type.slice(0, 32))} is known here`);
}

function heartbeat(fields: Fields): HeartbeatMessage {
  return {
    type: 'heartbeat',
    ...optional('seq', fields.integer('seq', COUNT)),
    ...optional('load', clampLoad(fields.number('load', { min: 0, max: Number.MAX_VALUE }))),
    ...optional('sessions', fields.integer('sessions', COUNT)),
    ...optional('inFlight', fields.integer('inFlight', COUNT)),
    ...optional('ready', fields.boolean('ready')),
    ...optional('readyReason', fields.text('readyReason', MAX_CAUSE_CHARACTERS)),
    ...optional('serviceMs', fields.number('serviceMs', DAY_MS)),
    ...optional(
      'metrics',
      fields.map('metrics', MAX_METRICS, isName, (map, key) => map.number(key, { min: 0, max: MAX_VALUE })),
    ),
    ...optional(
      'values',
      fields.map('values', MAX_METRICS, isName, (map, key) => map.number(key, { min: -MAX_VALUE, max: MAX_VALUE })),
    ),
    ...optional(
      'scales',
      fields.map('scales', MAX_METRICS, isName, (map, key) => readScale(map.object(key))),
    ),
    ...optional('failing', fields.objects('failing', MAX_FAILING_COPIES, readFailingCopy)),
  };
}

function readFailingCopy(fields: Fields): FailingCopy | undefined {
  const copy = fields.integer('copy', COPIES) ?? fields.missing('copy');
  const attempts = fields.integer('attempts', { ...COUNT, min: 1 }) ?? fields.missing('attempts');
  const cause = fields.text('cause', MAX_CAUSE_CHARACTERS) ?? fields.missing('cause');
  if (copy === undefined || attempts === undefined || cause === undefined) return undefined;
  return { copy, attempts, cause, ...optional('retryMs', fields.number('retryMs', DAY_MS)) };
}

function readScale(fields: Fields | undefined): MetricScale | undefined {
  if (!fields) return undefined;
  const capacity = fields.number('capacity', { min: Number.MIN_VALUE, max: MAX_VALUE }) ?? fields.missing('capacity');
  const weight = fields.number('weight', { min: 0, max: MAX_VALUE }) ?? fields.missing('weight');
  if (capacity === undefined || weight === undefined) return undefined;
  return {
    capacity,
    weight,
    ...optional('unit', fields.text('unit', 16)),
    ...optional('isLimit', fields.boolean('isLimit')),
    ...optional('from', fields.number('from', { min: 0, max: 0.99 })),
    ...optional('isSoft', fields.boolean('isSoft')),
  };
}

function clampLoad(load: number | undefined): number | undefined {
  return load === undefined ? undefined : Math.min(1, load);
}

function nodeStatus(fields: Fields): NodeStatusMessage | undefined {
  const status = fields.oneOf('status', STATUSES) ?? fields.missing('status');
  const contexts = fields.texts('contexts', MAX_CONTEXTS, parseContextPath, 'a path like /app');
  if (status === undefined) return undefined;
  return {
    type: 'status',
    status,
    ...optional('reason', fields.text('reason', MAX_REASON_CHARACTERS)),
    ...optional('contexts', contexts),
    ...optional('deadlineMs', fields.number('deadlineMs', DAY_MS)),
    ...optional('holdMs', fields.number('holdMs', DAY_MS)),
  };
}

/**
 * Reads a node of `register`, of the admin API's PUT, or of a stored record. Faults are kept in the reader's `FaultBox`. Only a stored
 * record may have the route of other software: pass `parseForeignRoute` for it.
 */
export function readRegistration(
  fields: Fields,
  parseOneRoute: (text: string) => Route | undefined = parseRoute,
): NodeRegistration | undefined {
  const id = fields.parsed('id', parseNodeId, NAME_RULE, 'bad-name') ?? fields.missing('id');
  const balancer = fields.parsed('balancer', parseBalancerName, NAME_RULE, 'bad-name') ?? fields.missing('balancer');
  const url = readNodeUrl(fields) ?? fields.missing('url');
  if (id === undefined || balancer === undefined || url === undefined) return undefined;
  const places = readPlaces(fields);
  const registration: NodeRegistration = {
    id,
    balancer,
    url,
    route: fields.parsed('route', parseOneRoute, NAME_RULE, 'bad-name') ?? parseRoute(id)!,
    ...places,
    weight: fields.number('weight', { min: 0.001, max: 100 }) ?? 1,
    ...optional('stripPrefix', fields.boolean('stripPrefix')),
    ...optional('group', fields.parsed('group', parseGroupName, NAME_RULE, 'bad-name')),
    ...optional('incarnation', fields.integer('incarnation', COUNT)),
    ...optional('instance', fields.parsed('instance', parseInstance, '32 hex digits')),
    ...optional('proves', fields.boolean('proves')),
    ...optional('process', readProcess(fields.object('process'))),
    ...optional('version', fields.text('version', 64)),
    ...optional('keepAliveMs', fields.integer('keepAliveMs', { min: 0, max: 3_600_000 })),
    ...optional('publicUrl', fields.parsed('publicUrl', parsePublicUrl, 'an http or https address')),
    ...optional('sticky', readStickyHint(fields.object('sticky'))),
    ...optional('copies', readCopies(fields.object('copies'))),
    ...optional('cores', fields.number('cores', { min: 0.001, max: 1024 })),
    loadHeader: fields.boolean('loadHeader') ?? false,
    ...optional('readyPath', fields.parsed('readyPath', parseReadyPath, 'a path')),
    meta: fields.map('meta', 16, isName, (map, key) => map.text(key, 256)) ?? {},
  };
  return fields.fault ? undefined : registration;
}

const ROOT = parseContextPath('/')!;
const ANY_HOST = parseHostPattern('*')!;

function readPlaces(fields: Fields): Pick<NodeRegistration, 'contexts' | 'hosts'> {
  const contexts = fields.objects('contexts', MAX_CONTEXTS, (context) => {
    const path = context.parsed('path', parseContextPath, 'a path like /app') ?? context.missing('path');
    return path && { path, ...optional('hosts', readHosts(context)) };
  });
  if (contexts?.length === 0) fields.fail('contexts', 'is empty');
  const places = { contexts: contexts ?? [{ path: ROOT }], hosts: readHosts(fields) ?? [ANY_HOST] };
  const length = placesLength(places);
  if (length > MAX_PLACES_LENGTH)
    fields.fail('contexts', `and hosts have ${length} characters as JSON, at most ${MAX_PLACES_LENGTH} are allowed`);
  return places;
}

function readHosts(fields: Fields): HostPattern[] | undefined {
  const hosts = fields.texts('hosts', MAX_HOSTS, parseHostPattern, 'a host name, *.suffix or *');
  if (hosts?.length === 0) fields.fail('hosts', 'is empty');
  return hosts;
}

function readNodeUrl(fields: Fields): NodeUrl | undefined {
  return fields.parsed('url', parseNodeUrl, 'an address like http://10.0.0.5:3000', 'bad-address');
}

function parseInstance(text: string): string | undefined {
  return INSTANCE.test(text) ? text : undefined;
}

function parsePublicUrl(text: string): string | undefined {
  return /^https?:\/\/[!-~]{1,500}$/.test(text) && !/["'<>\\^`{|}\s]/.test(text) ? text : undefined;
}

function parseReadyPath(text: string): string | undefined {
  return /^\/[!-~]{0,255}$/.test(text) ? text : undefined;
}

const PID = { min: 1, max: 4_294_967_295 } as const;

function readProcess(fields: Fields | undefined): NodeProcess | undefined {
  if (!fields) return undefined;
  return { ...optional('host', fields.text('host', 255)), ...optional('pid', fields.integer('pid', PID)) };
}

const COPIES = { min: 1, max: 1_000 } as const;

function readCopies(fields: Fields | undefined): Copies | undefined {
  if (!fields) return undefined;
  const wrapper = fields.parsed('wrapper', parseInstance, '32 hex digits') ?? fields.missing('wrapper');
  const kept = fields.integer('kept', COPIES) ?? fields.missing('kept');
  const most = fields.integer('most', COPIES) ?? fields.missing('most');
  return wrapper === undefined || kept === undefined || most === undefined ? undefined : { wrapper, kept, most };
}

function readStickyHint(fields: Fields | undefined): StickyHint | undefined {
  if (!fields) return undefined;
  return {
    ...optional('mode', fields.oneOf('mode', STICKY_MODES)),
    ...optional('cookies', fields.texts('cookies', 16, parseCookieName, 'a cookie name')),
    ...optional('parameters', fields.texts('parameters', 16, parseParameterName, 'a parameter name')),
    ...optional('failover', fields.oneOf('failover', FAILOVERS)),
    ...optional('remove', fields.boolean('remove')),
    ...optional('movable', fields.boolean('movable')),
  };
}

/** A name of a path or query parameter of at most 64 characters. */
export function parseParameterName(text: string): string | undefined {
  return PARAMETER_NAME.test(text) ? text : undefined;
}

/** Decodes a frame from a coordinator. */
export function decodeCoordinatorMessage(text: string): CoordinatorMessage | Malformed {
  const read = readFields(text, MAX_FRAME_BYTES);
  if (!('fields' in read)) return read;
  const { fields, type } = read;
  const message = coordinatorMessage(type, fields);
  return fields.fault ?? message ?? unknownType(type);
}

function coordinatorMessage(type: unknown, fields: Fields): CoordinatorMessage | undefined {
  switch (type) {
    case 'registered':
      return registered(fields);
    case 'status': {
      const status = fields.oneOf('status', STATUSES) ?? fields.missing('status');
      return (
        status && {
          type: 'status',
          status,
          ...optional('reason', fields.text('reason', MAX_REASON_CHARACTERS)),
          ...optional('deadlineMs', fields.number('deadlineMs', COUNT)),
        }
      );
    }
    case 'drained':
      return { type: 'drained' };
    case 'budget': {
      const holdMs = fields.number('holdMs', DAY_MS) ?? fields.missing('holdMs');
      return holdMs === undefined
        ? undefined
        : { type: 'budget', holdMs, message: fields.text('message', 1_024) ?? '' };
    }
    case 'scale': {
      const count = fields.integer('count', COPIES) ?? fields.missing('count');
      return count === undefined ? undefined : { type: 'scale', count };
    }
    case 'pace':
      return { type: 'pace', ...pace(fields) };
    case 'coordinators': {
      const coordinators = coordinatorUrls(fields) ?? fields.missing('coordinators');
      return coordinators && { type: 'coordinators', coordinators };
    }
    case 'disconnected':
      return { type: 'disconnected', message: fields.text('message', 1_024) ?? '' };
    case 'error':
      return {
        type: 'error',
        code: fields.text('code', 64) ?? 'internal',
        message: fields.text('message', 1_024) ?? '',
        ...optional('holderConnected', fields.boolean('holderConnected')),
      };
    default:
      return undefined;
  }
}

function registered(fields: Fields): RegisteredMessage | undefined {
  const nodeFields = fields.object('node') ?? fields.missing('node');
  const node = nodeFields && readRegistration(nodeFields);
  if (node === undefined) return undefined;
  return {
    type: 'registered',
    node,
    ...pace(fields),
    epoch: fields.text('epoch', 64) ?? '',
    ...optional(
      'coordinatorId',
      fields.parsed('coordinatorId', (text) => (isCoordinatorId(text) ? text : undefined), '1 to 32 hex digits'),
    ),
    ...optional('coordinatorUrl', fields.text('coordinatorUrl', 512)),
    coordinators: coordinatorUrls(fields) ?? [],
    warnings:
      fields.objects('warnings', 16, (warning) => ({
        code: warning.text('code', 64) ?? '',
        message: warning.text('message', 1_024) ?? '',
      })) ?? [],
  };
}

/** Agents parse the addresses: one that they cannot read does not hide the others. */
function coordinatorUrls(fields: Fields): readonly string[] | undefined {
  const isShort = (text: string): boolean => text.length <= MAX_COORDINATOR_URL_LENGTH;
  return fields.texts('coordinators', 16, (text) => (isShort(text) ? text : undefined), 'an address');
}

/** The bounds prevent a faulty coordinator from silencing agents or making them flood it. */
function pace(fields: Fields): { heartbeatMs: number; suspectMs: number; leaseMs: number } {
  return {
    heartbeatMs: fields.number('heartbeatMs', { min: 20, max: 60_000 }) ?? 1_000,
    suspectMs: fields.number('suspectMs', { min: 40, max: 600_000 }) ?? 3_000,
    leaseMs: fields.number('leaseMs', { min: 100, max: 3_600_000 }) ?? DEFAULT_LEASE_MS,
  };
}

/** Returns `{ key: value }`, or `{}` when the value is `undefined`, so that absent fields stay absent. */
export function optional<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { [K in Key]: Value });
}
