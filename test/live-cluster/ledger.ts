/** Records of client and nodes, one JSON object per line. */
import { readFileSync } from 'node:fs';
import { SITE_NAMES, type SiteName, type VisitKind } from './schedule.ts';

/** One request as the client saw it. Instants are on the machine's monotonic clock. */
export interface Visit {
  readonly id: string;
  readonly site: SiteName;
  readonly session: string;
  readonly index: number;
  readonly kind: VisitKind;
  readonly dueMs: number;
  readonly sentMs: number;
  /** When the response head came; absent when none did. */
  readonly headMs?: number;
  readonly doneMs: number;
  readonly status?: number;
  /** Reason why there is no complete and readable answer; absent if there is one. */
  readonly error?: string;
  /** The route the request carried, from cookie or URL; absent for a new session. */
  readonly sentRoute?: string;
  /** The node that answered, as named by the program. */
  readonly node?: string;
  /** The process that answered; the name of the node if the program does not report it. */
  readonly instance?: string;
  /** Visits of this session, as the program counted; absent for a stateless one. */
  readonly count?: number;
}

/** Lateness of the client against its schedule. */
export interface GeneratorReport {
  readonly loopDelayP99Ms: number;
  readonly connections: number;
}

/** A request as a node saw it: taken up, response head written, response written. */
export interface NodeLine {
  readonly instance: string;
  readonly id: string;
  readonly event: 'start' | 'head' | 'end';
  readonly atMs: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** The visits in a file the client wrote. Throws on a line that is none. */
export function readVisits(file: string): Visit[] {
  return readLines(file).map(toVisit);
}

/** The lines in a file a node wrote. A last line that a kill cut short is left out. */
export function readNodeLines(file: string): NodeLine[] {
  return readLines(file).map(toNodeLine);
}

function readLines(file: string): Fields[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  // The text after the last line end is '' or was cut short.
  lines.pop();
  return lines.map((line) => toFields(JSON.parse(line)));
}

export function toFields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('not an object');
  return Object.fromEntries(Object.entries(value));
}

function toVisit(fields: Fields): Visit {
  const site = SITE_NAMES.find((name) => name === fields['site']);
  const kind = (['get', 'post', 'chunked', 'slow', 'slow-post', 'stream'] as const).find((k) => k === fields['kind']);
  if (site === undefined || kind === undefined) throw new TypeError(`no visit: ${JSON.stringify(fields)}`);
  const headMs = optionalNumber(fields, 'headMs');
  const status = optionalNumber(fields, 'status');
  const count = optionalNumber(fields, 'count');
  const error = optionalText(fields, 'error');
  const sentRoute = optionalText(fields, 'sentRoute');
  const node = optionalText(fields, 'node');
  const instance = optionalText(fields, 'instance');
  return {
    id: text(fields, 'id'),
    site,
    session: text(fields, 'session'),
    index: number(fields, 'index'),
    kind,
    dueMs: number(fields, 'dueMs'),
    sentMs: number(fields, 'sentMs'),
    doneMs: number(fields, 'doneMs'),
    ...(headMs === undefined ? {} : { headMs }),
    ...(status === undefined ? {} : { status }),
    ...(error === undefined ? {} : { error }),
    ...(sentRoute === undefined ? {} : { sentRoute }),
    ...(node === undefined ? {} : { node }),
    ...(instance === undefined ? {} : { instance }),
    ...(count === undefined ? {} : { count }),
  };
}

function toNodeLine(fields: Fields): NodeLine {
  const event = (['start', 'head', 'end'] as const).find((name) => name === fields['event']);
  if (event === undefined) throw new TypeError(`no line of a node: ${JSON.stringify(fields)}`);
  return { instance: text(fields, 'instance'), id: text(fields, 'id'), event, atMs: number(fields, 'atMs') };
}

export function number(fields: Fields, name: string): number {
  const value = optionalNumber(fields, name);
  if (value === undefined) throw new TypeError(`${name} is absent: ${JSON.stringify(fields)}`);
  return value;
}

export function text(fields: Fields, name: string): string {
  const value = optionalText(fields, name);
  if (value === undefined) throw new TypeError(`${name} is absent: ${JSON.stringify(fields)}`);
  return value;
}

function optionalNumber(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (value === undefined || typeof value === 'number') return value;
  throw new TypeError(`${name} is no number: ${JSON.stringify(value)}`);
}

function optionalText(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || typeof value === 'string') return value;
  throw new TypeError(`${name} is no text: ${JSON.stringify(value)}`);
}
