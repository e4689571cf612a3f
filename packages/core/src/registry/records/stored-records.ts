/**
 * The registry's records in the store: how they are written, and how they are read after a start.
 *
 * Nodes are stored from their registration on, and for a day after they are gone. Statuses and overrides of operators are
 * stored for as long as their node, balancers permanently. Loads, sessions and other numbers are not stored: they are old
 * before they are read.
 */
import type { NodeReach, ProbeKind } from '@rollcall/feed';
import { readNodeReach } from '@rollcall/feed';
import type {
  BalancerName,
  BalancerPatch,
  ContextPath,
  GoneCause,
  NodeId,
  Status,
  StickyHint,
} from '@rollcall/protocol';
import {
  FaultBox,
  Fields,
  GONE_CAUSES,
  isObject,
  parseBalancerName,
  parseContextPath,
  parseForeignRoute,
  parseHostPattern,
  parseNodeId,
  readBalancerLimits,
  readRegistration,
  readRouteCookiePatch,
} from '@rollcall/protocol';
import { EMPTY_CONTEXT_MS } from '../../contexts/context-table.ts';
import type { HostedContext } from '../../contexts/hosted-context.ts';
import { recordKey } from '../../store/record-key.ts';
import type { StoredRecord } from '../../store/store.ts';
import type { Hint } from '../balancer-settings.ts';
import type { QuotaStanding } from '../commands.ts';
import {
  type AcceptedRegistration,
  forgetAtMs,
  type NodeKind,
  type NodeView,
  type Overrides,
  type SettledStart,
} from '../node/node-record.ts';
import { isInFeed } from '../node/node-status.ts';
import type { RegistryState } from '../registry-state.ts';
import type { OtherHint } from '../settings-hint.ts';

/** The changes that the store has to write since the last call. */
export interface RecordChanges {
  readonly write: StoredRecord[];
  readonly remove: string[];
}

const PROBES = ['proof', 'options', 'head', 'connect'] as const;
/** Always the same, so that the first write stays. */
const CLUSTER_VERSION = [1, 0] as const;
const CLUSTER_ID = /^[0-9a-f]{32}$/;
const INSTANT = { min: 0, max: Number.MAX_SAFE_INTEGER };

/** Takes the changed records out of `state`; `nowUnixMs` is the wall clock at the instant of its last command. */
export function takeRecords(state: RegistryState, nowUnixMs: number): RecordChanges {
  const write: StoredRecord[] = [];
  const remove: string[] = [];
  for (const key of state.dirtyRecords) {
    const record = recordOf(state, key, nowUnixMs);
    if (record) {
      write.push(record);
      state.stored.set(key, record.version);
    } else if (state.stored.delete(key)) {
      remove.push(key);
    }
  }
  state.dirtyRecords.clear();
  state.contextRecords.clear();
  return { write, remove };
}

function recordOf(state: RegistryState, key: string, nowUnixMs: number): StoredRecord | undefined {
  const toUnixMs = (atMs: number): number => Math.max(0, Math.round(nowUnixMs - (state.nowMs - atMs)));
  const [kind, name] = key.split('/') as [string, string];
  if (key === recordKey.cluster) return { key, version: CLUSTER_VERSION, value: { id: state.shared.clusterId } };
  if (kind === 'context') return contextRecord(state, key, nowUnixMs, toUnixMs);
  if (kind === 'balancer') return balancerRecord(state, key, name, nowUnixMs);
  const node = state.nodes.get(name as NodeId);
  if (!node) return undefined;
  const forgottenAtMs = node.liveness === 'gone' ? forgetAtMs(node, state.options) : undefined;
  const expiry = forgottenAtMs === undefined ? {} : { expiresAtUnixMs: toUnixMs(forgottenAtMs) };
  if (kind === 'node') {
    const [incarnation, generation] = state.stored.get(key) ?? [0, 0];
    const version = [
      Math.max(incarnation, node.registration.incarnation),
      Math.max(generation + 1, Math.floor(nowUnixMs)),
    ] as const;
    return { key, version, value: nodeValue(node, toUnixMs), ...expiry };
  }
  const value = overrideValue(node, toUnixMs);
  if (value === undefined) return undefined;
  return { key, version: nextOverrideVersion(state, nowUnixMs), value, ...expiry };
}

function nextOverrideVersion(state: RegistryState, nowUnixMs: number): readonly [number, number] {
  const [unixMs, count] = state.overrideVersion;
  state.overrideVersion = [Math.max(unixMs, Math.floor(nowUnixMs)), count + 1];
  return state.overrideVersion;
}

/** A node that is back, if only to be probed, is expected back after the next start as well. */
function absentSinceMs(node: NodeView): number | undefined {
  return node.liveness === 'gone' ? node.goneAtMs : undefined;
}

/** The stored fields of a node, to detect whether a command has changed them. */
export function storable(node: NodeView): string {
  return JSON.stringify(nodeValue(node, (atMs) => atMs));
}

/** The part of a node's record that all coordinators write alike. */
export function sharedNodeValue({ registration, owner, reach, standing, kind, leaseMs }: NodeView): object {
  const { incarnation, instance, ...rest } = registration;
  return {
    registration: { ...rest, meta: {}, process: undefined },
    incarnation,
    instance,
    owner,
    ...(reach !== undefined && kind !== 'agent' && { reach }),
    ...(standing !== 'token' && { standing }),
    kind,
    ...(kind === 'lease' && { leaseMs }),
  };
}

function nodeValue(node: NodeView, toUnixMs: (atMs: number) => number): unknown {
  const { incarnation, instance, ...registration } = node.registration;
  const goneAtMs = absentSinceMs(node);
  return {
    // Free text comes again with the next registration; without it every record is below 16 KiB.
    registration: { ...registration, meta: {}, process: undefined },
    incarnation,
    instance,
    owner: node.owner,
    ...(node.reach !== undefined && { reach: node.reach }),
    ...(node.standing !== 'token' && { standing: node.standing }),
    kind: node.kind,
    ...((node.kind === 'lease' || node.suspectMs !== undefined) && { leaseMs: node.leaseMs }),
    ...(node.suspectMs !== undefined && { suspectMs: node.suspectMs }),
    isKnown: node.isKnown,
    isProved: !node.awaitsProbe,
    isInFeed: isInFeed(node.liveness),
    ...(node.probe !== 'options' && { probe: node.probe }),
    registeredAtUnixMs: toUnixMs(node.registeredAtMs),
    ...(node.settledStarts.length > 0 && { settledStarts: node.settledStarts }),
    ...(goneAtMs !== undefined && { goneAtUnixMs: toUnixMs(goneAtMs), goneCause: node.goneCause }),
    ...(node.acknowledged && {
      acknowledged: {
        by: node.acknowledged.by,
        reason: node.acknowledged.reason,
        atUnixMs: toUnixMs(node.acknowledged.atMs),
      },
    }),
  };
}

function overrideValue(node: NodeView, toUnixMs: (atMs: number) => number): unknown {
  const { operatorStatus: requestedStatus, operatorContexts, overrides } = node;
  const { weight, standby, redirectTo } = overrides;
  const hasRequestedStatus = requestedStatus.status !== 'enabled';
  const hasContexts = operatorContexts.size > 0;
  if (!hasContexts && !hasRequestedStatus && weight === undefined && standby === undefined && redirectTo === undefined)
    return undefined;
  return {
    ...(hasRequestedStatus && {
      status: requestedStatus.status,
      atUnixMs: toUnixMs(requestedStatus.atMs),
      ...(requestedStatus.reason !== undefined && { reason: requestedStatus.reason }),
      ...(requestedStatus.by !== undefined && { by: requestedStatus.by }),
      ...(requestedStatus.deadlineAtMs !== undefined && { deadlineAtUnixMs: toUnixMs(requestedStatus.deadlineAtMs) }),
      ...(requestedStatus.untilMs !== undefined && { untilUnixMs: toUnixMs(requestedStatus.untilMs) }),
    }),
    ...(hasContexts && { contexts: [...operatorContexts].map(([path, status]) => ({ path, status })) }),
    ...(weight !== undefined && { weight }),
    ...(standby !== undefined && { standby }),
    ...(redirectTo !== undefined && { redirectTo }),
  };
}

function balancerRecord(state: RegistryState, key: string, name: string, nowUnixMs: number): StoredRecord | undefined {
  const parsed = parseBalancerName(name);
  const balancer = parsed && state.balancers.get(parsed);
  const patch = balancer?.operatorPatch;
  if (!balancer || (patch === undefined && balancer.hint === undefined)) return undefined;
  const value = {
    ...(patch !== undefined && { operator: patch }),
    ...(balancer.hint !== undefined && { hint: balancer.hint }),
  };
  return { key, version: nextOverrideVersion(state, nowUnixMs), value };
}

function contextRecord(
  state: RegistryState,
  key: string,
  nowUnixMs: number,
  toUnixMs: (atMs: number) => number,
): StoredRecord | undefined {
  const place = state.contextRecords.get(key);
  const context = place
    ? state.remembered.get(place)
    : state.remembered.all().find((one) => recordKey.context(one.host, one.path) === key);
  // As long as a node that has left it may be remembered.
  if (context === undefined && place !== undefined && state.remembered.isForgotten(place))
    return {
      key,
      version: nextOverrideVersion(state, nowUnixMs),
      value: { ...place, isForgotten: true },
      expiresAtUnixMs: toUnixMs(state.nowMs + state.options.rememberMs),
    };
  if (context === undefined) return undefined;
  const { host, path, balancer, sinceMs } = context;
  const value = { host, path, balancer, sinceUnixMs: toUnixMs(sinceMs) };
  const expiresAtUnixMs = toUnixMs(sinceMs + EMPTY_CONTEXT_MS);
  return { key, version: nextOverrideVersion(state, nowUnixMs), value, expiresAtUnixMs };
}

/** The record of a node in the store. */
export interface StoredNode {
  readonly registration: AcceptedRegistration;
  readonly owner: string;
  /** Records of earlier versions lack it. */
  readonly reach: NodeReach | undefined;
  readonly standing: QuotaStanding;
  readonly kind: NodeKind;
  readonly leaseMs: number | undefined;
  readonly suspectMs: number | undefined;
  readonly isKnown: boolean;
  readonly isProved: boolean;
  /** It was in the feed, so that workers may have its sessions. Records of earlier versions lack it: a proved node was. */
  readonly isInFeed: boolean;
  readonly probe: ProbeKind;
  readonly registeredAtUnixMs: number;
  readonly settledStarts: readonly SettledStart[];
  readonly goneAtUnixMs: number | undefined;
  readonly goneCause: GoneCause | undefined;
  readonly acknowledged: StoredAcknowledgement | undefined;
}

export interface StoredAcknowledgement {
  readonly by: string;
  readonly reason: string | undefined;
  readonly atUnixMs: number;
}

/** The record of an operator's status and overrides for one node in the store. */
export interface StoredOverride extends Overrides {
  readonly status: Status;
  readonly contexts: ReadonlyMap<ContextPath, Status>;
  readonly reason: string | undefined;
  readonly by: string | undefined;
  readonly atUnixMs: number;
  readonly deadlineAtUnixMs: number | undefined;
  readonly untilUnixMs: number | undefined;
}

/** The record of a context without a node in the store; `lost`: its balancer and since when, `undefined` when an operator has it forgotten. */
export interface StoredContext extends HostedContext {
  readonly lost: { readonly balancer: BalancerName; readonly sinceUnixMs: number } | undefined;
}

export interface StoredBalancer {
  readonly operator: BalancerPatch | undefined;
  readonly hint: Hint | undefined;
}

/** Reads a node's record; `undefined` for any other value. */
export function readStoredNode(value: unknown): StoredNode | undefined {
  return read(value, (fields) => {
    const registrationFields = fields.object('registration') ?? fields.missing('registration');
    const registration = registrationFields && readRegistration(registrationFields, parseForeignRoute);
    const incarnation = fields.number('incarnation', INSTANT) ?? fields.missing('incarnation');
    const hintFields = registrationFields?.object('hint');
    const hint = hintFields && readProposed(hintFields);
    // For a node that announced none this is the instance that the coordinator chose.
    const instance = fields.text('instance', 64) ?? fields.missing('instance');
    const owner = fields.text('owner', 256) ?? fields.missing('owner');
    const kind = fields.oneOf('kind', ['agent', 'lease', 'static']) ?? fields.missing('kind');
    if (!registration || incarnation === undefined || instance === undefined) return undefined;
    if (owner === undefined || kind === undefined) return undefined;
    return {
      registration: { ...registration, incarnation, instance, ...(hint && { hint }) },
      owner,
      reach: readNodeReach(fields.object('reach')),
      standing: fields.oneOf('standing', ['token', 'tokenless', 'operator']) ?? 'token',
      kind,
      leaseMs: fields.number('leaseMs', { min: 1, max: 86_400_000 }),
      suspectMs: fields.number('suspectMs', { min: 1, max: 86_400_000 }),
      isKnown: fields.boolean('isKnown') === true,
      isProved: fields.boolean('isProved') === true,
      isInFeed: fields.boolean('isInFeed') ?? fields.boolean('isProved') === true,
      probe: fields.oneOf('probe', PROBES) ?? 'options',
      registeredAtUnixMs: fields.number('registeredAtUnixMs', INSTANT) ?? 0,
      settledStarts: fields.objects('settledStarts', 16, readStart) ?? [],
      goneAtUnixMs: fields.number('goneAtUnixMs', INSTANT),
      goneCause: fields.oneOf('goneCause', GONE_CAUSES),
      acknowledged: readAcknowledgement(fields.object('acknowledged')),
    };
  });
}

function readAcknowledgement(fields: Fields | undefined): StoredAcknowledgement | undefined {
  const by = fields?.text('by', 256);
  if (fields === undefined || by === undefined) return undefined;
  return { by, reason: fields.text('reason', 256), atUnixMs: fields.number('atUnixMs', INSTANT) ?? 0 };
}

function readStart(fields: Fields): SettledStart | undefined {
  const instance = fields.text('instance', 64) ?? fields.missing('instance');
  const incarnation = fields.number('incarnation', INSTANT) ?? fields.missing('incarnation');
  return instance === undefined || incarnation === undefined ? undefined : { instance, incarnation };
}

export function readStoredOverride(value: unknown): StoredOverride | undefined {
  return read(value, (fields) => ({
    status: fields.oneOf('status', ['enabled', 'draining', 'stopped']) ?? 'enabled',
    contexts: new Map(fields.objects('contexts', 64, readContextRequest) ?? []),
    reason: fields.text('reason', 256),
    by: fields.text('by', 256),
    atUnixMs: fields.number('atUnixMs', INSTANT) ?? 0,
    deadlineAtUnixMs: fields.number('deadlineAtUnixMs', INSTANT),
    untilUnixMs: fields.number('untilUnixMs', INSTANT),
    weight: fields.number('weight', { min: 0.001, max: 100 }),
    standby: fields.boolean('standby'),
    redirectTo: fields.parsed('redirectTo', parseNodeId, 'an id', 'bad-name'),
  }));
}

function readContextRequest(fields: Fields): readonly [ContextPath, Status] | undefined {
  const path = fields.parsed('path', parseContextPath, 'a path') ?? fields.missing('path');
  const status = fields.oneOf('status', ['draining', 'stopped']) ?? fields.missing('status');
  return path && status && [path, status];
}

/** Reads the record of the cluster id. */
export function readStoredClusterId(value: unknown): string | undefined {
  return read(value, (fields) => fields.parsed('id', parseClusterId, 'a cluster id'));
}

/** A cluster id: 128 random bits as 32 hexadecimal digits. */
export function parseClusterId(text: string): string | undefined {
  return CLUSTER_ID.test(text) ? text : undefined;
}

export function readStoredContext(value: unknown): StoredContext | undefined {
  return read(value, (fields) => {
    const host = fields.parsed('host', parseHostPattern, 'a host') ?? fields.missing('host');
    const path = fields.parsed('path', parseContextPath, 'a path') ?? fields.missing('path');
    if (host === undefined || path === undefined) return undefined;
    if (fields.boolean('isForgotten') === true) return { host, path, lost: undefined };
    const balancer = fields.parsed('balancer', parseBalancerName, 'a name', 'bad-name') ?? fields.missing('balancer');
    const sinceUnixMs = fields.number('sinceUnixMs', INSTANT) ?? fields.missing('sinceUnixMs');
    return balancer === undefined || sinceUnixMs === undefined
      ? undefined
      : { host, path, lost: { balancer, sinceUnixMs } };
  });
}

export function readStoredBalancer(value: unknown): StoredBalancer | undefined {
  return read(value, (fields) => {
    const operator = fields.object('operator');
    const hint = fields.object('hint');
    return { operator: operator && readPatch(operator), hint: hint && readHint(hint) };
  });
}

const RETRIES = { min: 0, max: 100 } as const;

function readPatch(fields: Fields): BalancerPatch {
  const sticky = fields.object('sticky');
  const limits = fields.object('limits');
  return withoutAbsent({
    algorithm: fields.text('algorithm', 64),
    sessionAlgorithm: fields.text('sessionAlgorithm', 64),
    retries: fields.integer('retries', RETRIES),
    sessionIdleMs: fields.number('sessionIdleMs', { min: 1, max: 31_536_000_000 }),
    minEligible: fields.integer('minEligible', { min: 0, max: 1_000 }),
    assign: fields.boolean('assign'),
    sticky: sticky && readStickyPatch(sticky),
    limits: limits && readBalancerLimits(limits),
  });
}

function readStickyPatch(fields: Fields): NonNullable<BalancerPatch['sticky']> {
  const routeCookie = fields.object('routeCookie');
  return { ...readSticky(fields), ...(routeCookie && { routeCookie: readRouteCookiePatch(routeCookie) }) };
}

function readHint(fields: Fields): Hint | undefined {
  const from = fields.parsed('from', parseNodeId, 'an id', 'bad-name') ?? fields.missing('from');
  const sticky = fields.object('sticky');
  return from && { from, ...(sticky && { sticky: readSticky(sticky) }), ...readProposed(fields) };
}

/** Proposed settings other than those for sessions. */
function readProposed(fields: Fields): OtherHint {
  const retries = fields.integer('retries', RETRIES);
  const limits = fields.object('limits');
  return { ...(retries !== undefined && { retries }), ...(limits && { limits: readBalancerLimits(limits) }) };
}

function readSticky(fields: Fields): StickyHint {
  const name = (text: string): string | undefined => (text.length > 0 && text.length <= 64 ? text : undefined);
  return withoutAbsent({
    mode: fields.oneOf('mode', ['insert', 'suffix', 'rewrite', 'none']),
    cookies: fields.texts('cookies', 16, name, 'a cookie name'),
    parameters: fields.texts('parameters', 16, name, 'a parameter name'),
    failover: fields.oneOf('failover', ['any', 'group', 'none', 'eager']),
    remove: fields.boolean('remove'),
    movable: fields.boolean('movable'),
  });
}

type Present<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Leaves out fields that are `undefined`. */
function withoutAbsent<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Present<T>;
}

function read<Value>(value: unknown, make: (fields: Fields) => Value | undefined): Value | undefined {
  if (!isObject(value)) return undefined;
  const fields = new Fields(value, '', new FaultBox());
  const made = make(fields);
  return fields.fault === undefined ? made : undefined;
}
