/**
 * Messages of nodes, typed. Rules where the dialects of mod_proxy_cluster main (head) and 1.3.x differ: the answer that keeps the node
 * working. Undertow's dialect differs in answers only, and in the load -2.
 */
import { type FaultAnswer, faults } from '../answers/answer.ts';
import type { WireRequest } from '../wire/request-reader.ts';
import { type BodyField, readBodyFields } from './body-fields.ts';
import { type NodeConfig, readConfig, SCHEMES } from './node-config.ts';

const APP_COMMANDS = ['ENABLE-APP', 'DISABLE-APP', 'STOP-APP', 'REMOVE-APP'] as const;
export type AppCommand = (typeof APP_COMMANDS)[number];

/** All methods of the listener. */
export const METHODS: readonly string[] = ['CONFIG', ...APP_COMMANDS, 'STATUS', 'PING', 'INFO', 'DUMP', 'VERSION'];

/** Longest alias and context of head, and route of both dialects. */
const MAX_ROUTE = 63;
const MAX_ALIAS = 254;
const MAX_CONTEXT = 79;

export interface ConfigMessage {
  readonly type: 'CONFIG';
  readonly config: NodeConfig;
  /** Applications that are created as stopped; empty lists without any. */
  readonly aliases: readonly string[];
  readonly contexts: readonly string[];
}

export interface AppMessage {
  readonly type: AppCommand;
  readonly route: string;
  /** All applications of the node; both lists are then empty. */
  readonly isNodeWide: boolean;
  readonly aliases: readonly string[];
  readonly contexts: readonly string[];
}

export interface StatusMessage {
  readonly type: 'STATUS';
  readonly route: string;
  /** 1 … 100: load factor. 0: standby. -1: the node reports that it is not available. Absent: probe only. */
  readonly load?: number;
}

export interface PingMessage {
  readonly type: 'PING';
  readonly route?: string;
  readonly address?: { readonly scheme: string; readonly host: string; readonly port: string };
}

export interface ReadMessage {
  readonly type: 'INFO' | 'DUMP' | 'VERSION';
  readonly isXml: boolean;
}

export type Message = ConfigMessage | AppMessage | StatusMessage | PingMessage | ReadMessage;

/** The message of a request; `undefined` for an unknown method, a fault for a message that is refused whatever is registered. */
export function readMessage(request: WireRequest): Message | FaultAnswer | undefined {
  const { method } = request;
  if (!METHODS.includes(method)) return undefined;
  const fields = readBodyFields(request.body);
  if (fields === undefined) return faults.unreadable;
  switch (method) {
    case 'CONFIG':
      return readConfigMessage(fields);
    case 'STATUS':
      return readStatus(fields);
    case 'PING':
      return readPing(fields);
    case 'INFO':
    case 'DUMP':
    case 'VERSION':
      return { type: method, isXml: request.accept.includes('text/xml') };
    default:
      return readApp(method as AppCommand, fields, isNodeWide(request.target));
  }
}

function isNodeWide(target: string): boolean {
  return target === '*' || target.endsWith('/*');
}

function readConfigMessage(fields: readonly BodyField[]): ConfigMessage | FaultAnswer {
  if (fields.length === 0 || fields.some(({ value }) => value === '')) return faults.unreadable;
  const config = readConfig(fields, MAX_ROUTE);
  if ('type' in config) return config;
  const apps = readApps(fields, true);
  return 'type' in apps ? apps : { type: 'CONFIG', config, ...apps };
}

function readApp(type: AppCommand, fields: readonly BodyField[], isNodeWideTarget: boolean): AppMessage | FaultAnswer {
  if (fields.length === 0) return faults.unreadable;
  const route = lastOf(fields, 'jvmroute') ?? '';
  if (route === '') return faults.noRoute;
  if (route.length > MAX_ROUTE) return faults.tooBig('JVMRoute');
  if (isNodeWideTarget) return { type, route, isNodeWide: true, aliases: [], contexts: [] };
  const apps = readApps(fields, false);
  if ('type' in apps) return apps;
  if (apps.contexts.length === 0) return faults.noApp;
  return { type, route, isNodeWide: false, ...apps };
}

type Apps = Pick<AppMessage, 'aliases' | 'contexts'>;

function readApps(fields: readonly BodyField[], mayRepeat: boolean): Apps | FaultAnswer {
  const aliases = valuesOf(fields, 'alias');
  const contexts = valuesOf(fields, 'context');
  if (aliases.length > 0 && contexts.length === 0) return faults.aliasAlone;
  if (contexts.length > 0 && aliases.length === 0) return faults.contextAlone;
  if (!mayRepeat && aliases.length > 1) return faults.aliasTwice;
  if (!mayRepeat && contexts.length > 1) return faults.contextTwice;
  const lists = { aliases: listOf(aliases), contexts: listOf(contexts) };
  if (aliases.length > 0 && lists.aliases.length === 0) return faults.emptyAlias;
  if (contexts.length > 0 && lists.contexts.length === 0) return faults.emptyContext;
  if (lists.aliases.some(({ length }) => length > MAX_ALIAS)) return faults.tooBig('Alias');
  if (lists.contexts.some(({ length }) => length > MAX_CONTEXT)) return faults.tooBig('Context');
  return lists;
}

/** Parts of comma lists, without repeats and empty parts. */
function listOf(values: readonly string[]): string[] {
  return [...new Set(values.flatMap((value) => value.split(',')).filter((part) => part !== ''))];
}

function readStatus(fields: readonly BodyField[]): StatusMessage | FaultAnswer {
  if (fields.length === 0) return faults.invalidField('');
  const foreign = fields.find(({ key }) => key !== 'jvmroute' && key !== 'load');
  if (foreign) return faults.invalidField(foreign.name);
  const route = lastOf(fields, 'jvmroute') ?? '';
  if (route === '') return faults.noRouteInStatus;
  if (route.length > MAX_ROUTE) return faults.tooBig('JVMRoute');
  const text = lastOf(fields, 'load');
  if (text === undefined) return { type: 'STATUS', route };
  // As C reads it: `5x` and `1.5` have been seen to count.
  const match = /^[+ ]?(-?[0-9]{1,9})/.exec(text);
  const load = match ? Number(match[1]) : Number.NaN;
  if (load === -2) return { type: 'STATUS', route };
  return load >= -1 && load <= 100 ? { type: 'STATUS', route, load: load === 0 ? 0 : load } : faults.badLoad;
}

function readPing(fields: readonly BodyField[]): PingMessage | FaultAnswer {
  const known = new Set(['jvmroute', 'scheme', 'host', 'port']);
  const foreign = fields.find(({ key }) => !known.has(key));
  if (foreign) return faults.invalidField(foreign.name);
  const route = lastOf(fields, 'jvmroute');
  if (route !== undefined && route !== '')
    return route.length > MAX_ROUTE ? faults.tooBig('JVMRoute') : { type: 'PING', route };
  const [scheme, host, port] = [lastOf(fields, 'scheme'), lastOf(fields, 'host'), lastOf(fields, 'port')];
  if (scheme === undefined && host === undefined && port === undefined) return { type: 'PING' };
  if (!scheme || !host || !port) return faults.fieldsMissing;
  const name = scheme.toLowerCase();
  if (!SCHEMES.has(name)) return faults.badScheme(scheme.slice(0, 16));
  return { type: 'PING', address: { scheme: name, host, port } };
}

function valuesOf(fields: readonly BodyField[], key: string): string[] {
  return fields.filter((field) => field.key === key).map(({ value }) => value);
}

/** The last one counts, as in httpd. */
function lastOf(fields: readonly BodyField[], key: string): string | undefined {
  return fields.findLast((field) => field.key === key)?.value;
}
