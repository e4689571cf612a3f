/**
 * Encodes and decodes feed messages. A worker may run on another machine and a snapshot may come from a file, so all fields are
 * validated. A frame of the feed has at most `MAX_FEED_BYTES`.
 */

import type {
  Fields,
  Malformed,
  NodeId,
  PastAttempt,
  PastDecision,
  PortReport,
  Range,
  RouteCookie,
  StickySettings,
} from '@rollcall/protocol';
import {
  COUNT,
  DAY_MS,
  DEFAULT_LEASE_MS,
  FAILOVER_CAUSES,
  FAILOVERS,
  FIRST_ROUTE_COOKIE,
  GONE_CAUSES,
  LIMIT_SCOPES,
  MAX_PAST_DECISIONS,
  malformed,
  optional,
  parseBalancerName,
  parseContextPath,
  parseCookieName,
  parseForeignRoute,
  parseHostPattern,
  parseNodeId,
  parseParameterName,
  readBalancerLimits,
  readFields,
  readRouteCookiePatch,
  STICKY_MODES,
  TIME_LIMIT_KEYS,
  TIME_LIMIT_RANGE,
} from '@rollcall/protocol';
import {
  type AnswerCounters,
  type BalancerCounters,
  LATENCY_BOUNDS_MS,
  RETRY_REASONS,
  STICKY_RESULTS,
} from './counters.ts';
import type {
  Decision,
  ExplainedCandidate,
  ExplainedLimit,
  FailoverCount,
  FeedBalancer,
  FeedChange,
  FeedJoiningContext,
  FeedLoad,
  FeedQuestion,
  FeedRememberedContext,
  FeedRememberedRoute,
  FeedShare,
  FeedToCoordinator,
  FeedToWorker,
  FeedUnknown,
  NodeCounters,
  ReachBounds,
  ScoreboardAnswer,
  StickySample,
  WorkerAnswer,
  WorkerCounters,
} from './messages.ts';
import {
  EJECTION_CAUSES,
  MAX_DECISIONS,
  MAX_DECISIONS_MS,
  MAX_JOINING_CHARS,
  MAX_JOINING_CONTEXTS,
  MIN_SHARE,
  REFUSALS,
  SESSIONS_PER_SECOND,
  SNAPSHOT_PART_NODES,
} from './messages.ts';

import { readFeedNode } from './node.ts';
import { SESSION_HASH_LENGTH, type SessionHashes, type SessionSample } from './session-sample.ts';

/** Largest frame of the feed, in bytes. */
export const MAX_FEED_BYTES = 4_194_304;
/** Most nodes, remembered routes or changes in one message. */
const MAX_ITEMS = 100_000;
/** Number of parts of the idle time by which sessions are grouped. */
const MAX_AGES = 64;
/** Most counts in the lists of one balancer or node. */
const MAX_COUNTS = 100;
/** Most listeners of the installation in one message. */
const MAX_LISTENERS = 1_000;
const HASHES = /^(?:[A-Za-z0-9_-]{8})+$/;
const PORTS: readonly PortReport[] = ['unknown', 'answers', 'unresponsive', 'refused', 'given-up'];
const NUMBER: Range = { min: -1, max: Number.MAX_SAFE_INTEGER };

/** Encodes one message as the text of one frame. */
export function encodeFeed(message: FeedToWorker | FeedToCoordinator): string {
  return JSON.stringify(message);
}

/** Decodes a frame from the coordinator. */
export function decodeFeedToWorker(text: string): FeedToWorker | FeedUnknown | Malformed {
  return decoded(text, toWorker);
}

function decoded<Message>(
  text: string,
  read: (type: unknown, fields: Fields) => Message | undefined,
): Message | FeedUnknown | Malformed {
  const frame = readFields(text, MAX_FEED_BYTES);
  if (!('fields' in frame)) return frame;
  const { fields, type } = frame;
  const message = read(type, fields);
  if (fields.fault ?? message) return fields.fault ?? message!;
  return typeof type === 'string' ? { type: 'unknown' } : malformed('unknown-message', 'no such feed message');
}

function toWorker(type: unknown, fields: Fields): FeedToWorker | undefined {
  switch (type) {
    case 'hello':
      return {
        type: 'hello',
        epoch: fields.text('epoch', 64) ?? '',
        feedVersion: feedVersion(fields),
        ...optional('reach', readReachBounds(fields.object('reach'))),
      };
    case 'snapshot':
      return {
        type: 'snapshot',
        part: fields.integer('part', COUNT) ?? 0,
        parts: fields.integer('parts', COUNT) ?? 1,
        balancers: fields.objects('balancers', MAX_ITEMS, readFeedBalancer) ?? [],
        remembered: fields.objects('remembered', MAX_ITEMS, readRememberedRoute) ?? [],
        contexts: fields.objects('contexts', MAX_ITEMS, readRememberedContext) ?? [],
        nodes: fields.objects('nodes', SNAPSHOT_PART_NODES, readFeedNode) ?? [],
      };
    case 'commit':
      return {
        type: 'commit',
        epoch: fields.text('epoch', 64) ?? '',
        revision: fields.integer('revision', COUNT) ?? 0,
        isSettled: fields.boolean('isSettled') ?? false,
        learningMs: fields.number('learningMs', DAY_MS) ?? 0,
        leaseMs: fields.number('leaseMs', DAY_MS) ?? DEFAULT_LEASE_MS,
        joining: readJoining(fields, 'joining'),
      };
    case 'changes':
      return {
        type: 'changes',
        revision: fields.integer('revision', COUNT) ?? 0,
        changes: (fields.objects('changes', MAX_ITEMS, readChange) ?? []).filter((change) => change !== 'unknown'),
      };
    case 'loads':
      return { type: 'loads', loads: fields.list('loads', MAX_ITEMS, readLoad) ?? [] };
    case 'shares':
      return { type: 'shares', shares: fields.list('shares', MAX_ITEMS, readShare) ?? [] };
    case 'sessions':
      return { type, nodes: fields.objects('nodes', MAX_ITEMS, readSessions) ?? [] };
    case 'ask': {
      const question = fields.object('question');
      const read = question && readQuestion(question);
      if (read?.type === 'unknown') return undefined;
      return read ? { type: 'ask', id: fields.integer('id', COUNT) ?? 0, question: read } : fields.missing('question');
    }
    default:
      return undefined;
  }
}

/** Feed version of a hello; 1 when it is absent, as in releases without feed versions. */
function feedVersion(fields: Fields): number {
  return fields.integer('feedVersion', COUNT) ?? 1;
}

function readLoad(value: unknown): FeedLoad | undefined {
  if (!Array.isArray(value) || value.length < 3 || value.length > 6) return undefined;
  const [index, load, sessions, counted = -1, inFlight = -1, serviceMs = -1] = value as unknown[];
  if (!Number.isSafeInteger(index) || !isWithin(load, -1, 1)) return undefined;
  if (!isTold(sessions) || !isTold(counted) || !isTold(inFlight) || !isWithin(serviceMs, -1, DAY_MS.max))
    return undefined;
  return [index as number, load, sessions, counted, inFlight, serviceMs];
}

/** A count, or -1 for none. */
function isTold(value: unknown): value is number {
  return isWithin(value, -1, Number.MAX_SAFE_INTEGER);
}

function readShare(value: unknown): FeedShare | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [name, share] = value as unknown[];
  const balancer = typeof name === 'string' ? parseBalancerName(name) : undefined;
  return balancer !== undefined && isWithin(share, MIN_SHARE, 1) ? [balancer, share] : undefined;
}

function isWithin(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max;
}

/** Reads the addresses that no node and that every node may have, also from a saved snapshot. */
export function readReachBounds(fields: Fields | undefined): ReachBounds | undefined {
  return (
    fields && {
      listeners: fields.objects('listeners', MAX_LISTENERS, readListener) ?? [],
      allow: fields.texts('allow', MAX_ITEMS, (text) => text, 'a range') ?? [],
    }
  );
}

function readListener(fields: Fields): ReachBounds['listeners'][number] | undefined {
  const host = fields.text('host', 253) ?? fields.missing('host');
  const port = fields.integer('port', { min: 0, max: 65_535 }) ?? fields.missing('port');
  return host === undefined || port === undefined ? undefined : { host, port };
}

/** Reads the settings of one balancer, also from a saved snapshot. */
export function readFeedBalancer(fields: Fields): FeedBalancer | undefined {
  const name = fields.parsed('name', parseBalancerName, 'a name', 'bad-name');
  const sticky = fields.object('sticky');
  const settings = sticky && readStickySettings(sticky);
  const limits = fields.object('limits');
  if (!name || !settings) return undefined;
  return {
    name,
    algorithm: fields.text('algorithm', 64) ?? '',
    sessionAlgorithm: fields.text('sessionAlgorithm', 64) ?? '',
    sticky: settings,
    retries: fields.integer('retries', { min: 0, max: 10 }) ?? 2,
    sessionIdleMs: fields.number('sessionIdleMs', COUNT) ?? 1_800_000,
    assign: fields.boolean('assign') === true,
    ...optional('limits', limits && readBalancerLimits(limits)),
  };
}

function readStickySettings(fields: Fields): StickySettings | undefined {
  const mode = fields.oneOf('mode', STICKY_MODES);
  const failover = fields.oneOf('failover', FAILOVERS);
  if (!mode || !failover) return undefined;
  return {
    mode,
    cookies: fields.texts('cookies', 16, parseCookieName, 'a cookie name') ?? [],
    parameters: fields.texts('parameters', 16, parseParameterName, 'a parameter name') ?? [],
    failover,
    remove: fields.boolean('remove') ?? false,
    movable: fields.boolean('movable') ?? false,
    routeCookie: readRouteCookie(fields.object('routeCookie')),
  };
}

/** The route cookie; without the field the cookie of releases that could not shape it. */
function readRouteCookie(fields: Fields | undefined): RouteCookie {
  if (fields === undefined) return FIRST_ROUTE_COOKIE;
  return {
    ...FIRST_ROUTE_COOKIE,
    ...readRouteCookiePatch(fields),
    earlierNames: fields.texts('earlierNames', 16, parseCookieName, 'a cookie name') ?? [],
  };
}

/** Reads one remembered route, also from a saved snapshot. */
export function readRememberedRoute(fields: Fields): FeedRememberedRoute | undefined {
  const balancer = fields.parsed('balancer', parseBalancerName, 'a name', 'bad-name');
  const route = fields.parsed('route', parseForeignRoute, 'a route', 'bad-name');
  return balancer && route && { balancer, route, isExpected: fields.boolean('isExpected') ?? false };
}

/** Reads one context without nodes, also from a saved snapshot. */
export function readRememberedContext(fields: Fields): FeedRememberedContext | undefined {
  const balancer = fields.parsed('balancer', parseBalancerName, 'a name', 'bad-name');
  const host = fields.parsed('host', parseHostPattern, 'a host');
  const path = fields.parsed('path', parseContextPath, 'a path');
  return balancer && host && path && { balancer, host, path, emptyMs: fields.number('emptyMs', DAY_MS) ?? 0 };
}

function readJoining(fields: Fields, key: string): readonly FeedJoiningContext[] {
  return fields.objects(key, MAX_JOINING_CONTEXTS, readJoiningContext) ?? [];
}

function readJoiningContext(fields: Fields): FeedJoiningContext | undefined {
  const host = fields.parsed('host', parseHostPattern, 'a host');
  const path = fields.parsed('path', parseContextPath, 'a path');
  return host && path && { host, path, message: fields.text('message', MAX_JOINING_CHARS) ?? '' };
}

function readChange(fields: Fields): FeedChange | 'unknown' | undefined {
  const type = fields.text('type', 64);
  switch (type) {
    case undefined:
      return undefined;
    case 'node': {
      const node = fields.object('node');
      const read = node && readFeedNode(node);
      return read && { type, node: read };
    }
    case 'balancer': {
      const balancer = fields.object('balancer');
      const read = balancer && readFeedBalancer(balancer);
      return read && { type, balancer: read };
    }
    case 'contexts-forgotten':
      return {
        type,
        ...optional('path', fields.parsed('path', parseContextPath, 'a path')),
        ...optional('host', fields.parsed('host', parseHostPattern, 'a host')),
      };
    case 'context-remembered': {
      const context = fields.object('context');
      const read = context && readRememberedContext(context);
      return read && { type, context: read };
    }
    case 'balancer-forgotten': {
      const name = fields.parsed('name', parseBalancerName, 'a name', 'bad-name');
      return name && { type, name };
    }
    case 'gone': {
      const id = fields.parsed('id', parseNodeId, 'a name');
      const at = readRememberedRoute(fields);
      const cause = fields.oneOf('cause', GONE_CAUSES);
      return id && at && cause && { type, id, balancer: at.balancer, route: at.route, cause };
    }
    case 'forgotten': {
      const at = readRememberedRoute(fields);
      return at && { type, balancer: at.balancer, route: at.route };
    }
    case 'joining':
      return { type, contexts: readJoining(fields, 'contexts') };
    case 'settled':
      return {
        type,
        isSettled: fields.boolean('isSettled') ?? false,
        learningMs: fields.number('learningMs', DAY_MS) ?? 0,
      };
    default:
      return 'unknown';
  }
}

function readQuestion(fields: Fields): FeedQuestion | FeedUnknown | undefined {
  const type = fields.text('type', 64);
  if (type === undefined) return undefined;
  if (type === 'scoreboard') return { type };
  if (type === 'decisions')
    return {
      type,
      count: fields.integer('count', { min: 1, max: MAX_DECISIONS }) ?? 1,
      forMs: fields.number('forMs', { min: 1, max: MAX_DECISIONS_MS }) ?? 1,
      onlyPicks: fields.boolean('onlyPicks') ?? false,
    };
  if (type === 'past-decisions')
    return {
      type,
      ...optional('requestId', fields.text('requestId', 128)),
      ...optional('node', fields.parsed('node', parseNodeId, 'a name')),
      ...optional('balancer', fields.parsed('balancer', parseBalancerName, 'a name')),
      ...optional('status', fields.integer('status', { min: 1, max: 599 })),
      limit: fields.integer('limit', { min: 1, max: MAX_PAST_DECISIONS }) ?? 1,
    };
  if (type !== 'explain') return { type: 'unknown' };
  return {
    type,
    host: fields.text('host', 300) ?? '',
    target: fields.text('target', 8_192) ?? '/',
    cookie: fields.text('cookie', 16_384) ?? '',
  };
}

/** Decodes a frame from a worker. */
export function decodeFeedToCoordinator(text: string): FeedToCoordinator | FeedUnknown | Malformed {
  return decoded(text, toCoordinator);
}

function toCoordinator(type: unknown, fields: Fields): FeedToCoordinator | undefined {
  switch (type) {
    case 'hello': {
      const worker = fields.parsed('worker', parseNodeId, 'a name', 'bad-name') ?? fields.missing('worker');
      return (
        worker && {
          type,
          worker,
          pid: fields.integer('pid', COUNT) ?? 0,
          version: fields.text('version', 64) ?? '',
          feedVersion: feedVersion(fields),
          ...optional('ageMs', fields.number('ageMs', COUNT)),
        }
      );
    }
    case 'applied':
      return { type, revision: fields.integer('revision', COUNT) ?? 0 };
    case 'counters': {
      const totals = fields.object('totals') ?? fields.missing('totals');
      return (
        totals && {
          type,
          revision: fields.integer('revision', COUNT) ?? 0,
          nodes: fields.objects('nodes', MAX_ITEMS, readNodeCounters) ?? [],
          totals: readWorkerCounters(totals),
          ...optional('failovers', fields.objects('failovers', MAX_ITEMS, readFailoverCount)),
          ...optional('balancers', fields.objects('balancers', MAX_ITEMS, readBalancerCounters)),
        }
      );
    }
    case 'ports':
      return { type, ports: fields.list('ports', MAX_ITEMS, readPort) ?? [] };
    case 'sessions':
      return { type, nodes: fields.objects('nodes', MAX_ITEMS, readSessions) ?? [] };
    case 'sticky':
      return {
        type,
        revision: fields.integer('revision', COUNT) ?? 0,
        balancers: fields.objects('balancers', MAX_ITEMS, readStickySample) ?? [],
      };
    case 'observed': {
      const id = fields.parsed('id', parseNodeId, 'a name', 'bad-name') ?? fields.missing('id');
      const what = fields.oneOf('what', ['ejected', 'readmitted', 'not-allowed']) ?? fields.missing('what');
      const named = fields.text('cause', 64);
      const cause = EJECTION_CAUSES.find((one) => one === named);
      return id && what && { type, id, what, reason: fields.text('reason', 256) ?? '', ...optional('cause', cause) };
    }
    case 'answer': {
      const answer = fields.object('answer');
      const read = answer && readAnswer(answer);
      return read ? { type, id: fields.integer('id', COUNT) ?? 0, answer: read } : fields.missing('answer');
    }
    default:
      return undefined;
  }
}

function readNodeCounters(fields: Fields): NodeCounters | undefined {
  const id = fields.parsed('id', parseNodeId, 'a name', 'bad-name');
  if (!id) return undefined;
  const answers = fields.object('answers');
  const usedInLastMinute = fields.integer('usedInLastMinute', COUNT);
  return {
    id,
    inFlight: count(fields, 'inFlight'),
    tunnels: count(fields, 'tunnels'),
    requests: count(fields, 'requests'),
    failures: count(fields, 'failures'),
    serverErrors: count(fields, 'serverErrors'),
    newSessions: count(fields, 'newSessions'),
    activeSessions: count(fields, 'activeSessions'),
    sessionsSeenOnce: count(fields, 'sessionsSeenOnce'),
    ...(usedInLastMinute !== undefined && { usedInLastMinute }),
    bytesToNode: count(fields, 'bytesToNode'),
    bytesFromNode: count(fields, 'bytesFromNode'),
    latencyMs: fields.number('latencyMs', NUMBER) ?? -1,
    isEjected: fields.boolean('isEjected') ?? false,
    parked: count(fields, 'parked'),
    ...optional('answers', answers && readAnswers(answers)),
  };
}

function readAnswers(fields: Fields): AnswerCounters {
  return {
    statusClasses: readStatusClasses(fields),
    latencyBuckets: readCounts(fields, 'latencyBuckets').slice(0, LATENCY_BOUNDS_MS.length + 1),
    latencySumMs: count(fields, 'latencySumMs'),
  };
}

function readBalancerCounters(fields: Fields): BalancerCounters | undefined {
  const name = fields.parsed('name', parseBalancerName, 'a name', 'bad-name');
  if (!name) return undefined;
  const answers = fields.object('answers') ?? fields.missing('answers');
  const retries = readCounts(fields, 'retries');
  const stickyResults = readCounts(fields, 'stickyResults');
  return (
    answers && {
      name,
      requests: count(fields, 'requests'),
      answers: readAnswers(answers),
      failures: count(fields, 'failures'),
      retries: RETRY_REASONS.map((_, i) => retries[i] ?? 0),
      failovers: count(fields, 'failovers'),
      moved: count(fields, 'moved'),
      unavailable: count(fields, 'unavailable'),
      stickyResults: STICKY_RESULTS.map((_, i) => stickyResults[i] ?? 0),
      bytesToNode: count(fields, 'bytesToNode'),
      bytesFromNode: count(fields, 'bytesFromNode'),
    }
  );
}

/** A list of counts. A newer release may add some at the end. */
function readCounts(fields: Fields, name: string): readonly number[] {
  return fields.list(name, MAX_COUNTS, readCount) ?? [];
}

function readFailoverCount(fields: Fields): FailoverCount | undefined {
  const balancer = fields.parsed('balancer', parseBalancerName, 'a name', 'bad-name');
  const node = fields.parsed('node', parseNodeId, 'a name', 'bad-name');
  const cause = fields.oneOf('cause', FAILOVER_CAUSES);
  return balancer && node && cause && { balancer, node, cause, count: count(fields, 'count') };
}

function readPort(value: unknown): readonly [NodeId, PortReport] | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [name, port] = value as unknown[];
  const id = typeof name === 'string' ? parseNodeId(name) : undefined;
  const known = PORTS.find((one) => one === port);
  return id && known && [id, known];
}

function readSessions(fields: Fields): (SessionSample & { readonly id: NodeId }) | undefined {
  const id = fields.parsed('id', parseNodeId, 'a name', 'bad-name');
  if (!id) return undefined;
  const once = fields.object('once');
  return {
    id,
    ...readHashes(fields),
    partMs: fields.number('partMs', COUNT) ?? 0,
    partEndsInMs: fields.number('partEndsInMs', COUNT) ?? 0,
    ...(once && { once: readHashes(once) }),
  };
}

function readHashes(fields: Fields): SessionHashes {
  return {
    level: fields.integer('level', { min: 0, max: 24 }) ?? 0,
    seen: fields.list('seen', MAX_AGES, readSeen) ?? [],
  };
}

function readSeen(value: unknown): readonly [number, string] | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [age, hashes] = value as unknown[];
  if (!Number.isSafeInteger(age) || !isWithin(age, 0, MAX_AGES) || typeof hashes !== 'string') return undefined;
  return hashes.length <= SESSION_HASH_LENGTH * SESSIONS_PER_SECOND && HASHES.test(hashes) ? [age, hashes] : undefined;
}

function readStickySample(fields: Fields): StickySample | undefined {
  const balancer = fields.parsed('balancer', parseBalancerName, 'a name', 'bad-name');
  if (!balancer) return undefined;
  const seen = (name: string): number => fields.integer(name, { min: 0, max: 100 }) ?? 0;
  return {
    balancer,
    routed: seen('routed'),
    unrouted: seen('unrouted'),
    other: seen('other'),
    strange: seen('strange'),
    opened: seen('opened'),
    renewed: seen('renewed'),
    foreign: seen('foreign'),
    foreignRouted: seen('foreignRouted'),
    returned: seen('returned'),
    refused: seen('refused'),
    fresh: seen('fresh'),
    routeless: seen('routeless'),
    ...optional('routelessName', fields.parsed('routelessName', parseCookieName, 'a cookie name')),
    ...optional('name', fields.parsed('name', parseCookieName, 'a cookie name')),
    ...optional('foreignName', fields.parsed('foreignName', parseCookieName, 'a cookie name')),
    writes:
      fields.objects('writes', 4, (write) => {
        const node = write.parsed('node', parseNodeId, 'a name');
        const route = write.parsed('route', parseForeignRoute, 'a route');
        return node && route && { node, route };
      }) ?? [],
  };
}

function readWorkerCounters(fields: Fields): WorkerCounters {
  const refusals = fields.list('refusals', REFUSALS.length, readCount) ?? [];
  return {
    requests: count(fields, 'requests'),
    inFlight: count(fields, 'inFlight'),
    connections: count(fields, 'connections'),
    accepted: count(fields, 'accepted'),
    bytesIn: count(fields, 'bytesIn'),
    bytesOut: count(fields, 'bytesOut'),
    statusClasses: readStatusClasses(fields),
    retries: count(fields, 'retries'),
    failovers: count(fields, 'failovers'),
    parked: count(fields, 'parked'),
    oldestParkedMs: count(fields, 'oldestParkedMs'),
    refusals: REFUSALS.map((_, i) => refusals[i] ?? 0),
    proxyHeaderRefusals: count(fields, 'proxyHeaderRefusals'),
    clientAborts: count(fields, 'clientAborts'),
    unavailable: count(fields, 'unavailable'),
    unknownRoutes: count(fields, 'unknownRoutes'),
    moved: count(fields, 'moved'),
    logLinesLost: count(fields, 'logLinesLost'),
    accessLogLinesLost: count(fields, 'accessLogLinesLost'),
    loopDelayMs: fields.number('loopDelayMs', COUNT) ?? 0,
  };
}

function readStatusClasses(fields: Fields): WorkerCounters['statusClasses'] {
  const [one = 0, two = 0, three = 0, four = 0, five = 0] = fields.list('statusClasses', 5, readCount) ?? [];
  return [one, two, three, four, five];
}

function count(fields: Fields, name: string): number {
  return fields.number(name, COUNT) ?? 0;
}

function readCount(value: unknown): number | undefined {
  return isWithin(value, 0, Number.MAX_SAFE_INTEGER) ? value : undefined;
}

function readAnswer(fields: Fields): WorkerAnswer['answer'] | undefined {
  const type = fields.oneOf('type', ['explain', 'scoreboard', 'decisions', 'past-decisions', 'failed']);
  if (type === 'failed') return { type, message: fields.text('message', 1_024) ?? '' };
  if (type === 'decisions') return { type, decisions: fields.objects('decisions', MAX_DECISIONS, readDecision) ?? [] };
  if (type === 'past-decisions')
    return {
      type,
      worker: fields.text('worker', 64) ?? '',
      decisions: fields.objects('decisions', MAX_PAST_DECISIONS, readPastDecision) ?? [],
      kept: count(fields, 'kept'),
      ...optional('sinceUnixMs', fields.number('sinceUnixMs', COUNT)),
    };
  if (type === 'scoreboard') return { type, connections: fields.objects('connections', 10_000, readScore) ?? [] };
  const outcome = fields.oneOf('outcome', ['forward', 'not-found', 'unavailable', 'bad-request']);
  if (type === undefined || outcome === undefined) return undefined;
  return {
    type,
    outcome,
    ...optional('balancer', fields.parsed('balancer', parseBalancerName, 'a name')),
    ...optional('context', fields.parsed('context', parseContextPath, 'a path')),
    ...optional('contextHost', fields.parsed('contextHost', parseHostPattern, 'a host')),
    ...optional('routeFrom', fields.text('routeFrom', 128)),
    ...optional('route', fields.parsed('route', parseForeignRoute, 'a route')),
    ...optional('chosen', fields.parsed('chosen', parseNodeId, 'a name')),
    because: fields.text('because', 1_024) ?? '',
    candidates: fields.objects('candidates', 10_000, readCandidate) ?? [],
    ...optional('limits', fields.objects('limits', TIME_LIMIT_KEYS.length, readExplainedLimit)),
  };
}

function readExplainedLimit(fields: Fields): ExplainedLimit | undefined {
  const key = fields.oneOf('key', TIME_LIMIT_KEYS) ?? fields.missing('key');
  const value = fields.integerOr('value', TIME_LIMIT_RANGE, 'none') ?? fields.missing('value');
  const from = fields.oneOf('from', LIMIT_SCOPES) ?? fields.missing('from');
  if (key === undefined || value === undefined || from === undefined) return undefined;
  return { key, value, from, ...optional('path', fields.parsed('path', parseContextPath, 'a path')) };
}

function readDecision(fields: Fields): Decision | undefined {
  return {
    atUnixMs: fields.number('atUnixMs', COUNT) ?? 0,
    method: fields.text('method', 32) ?? '',
    host: fields.text('host', 300) ?? '',
    path: fields.text('path', 256) ?? '',
    ...optional('balancer', fields.parsed('balancer', parseBalancerName, 'a name')),
    ...optional('context', fields.parsed('context', parseContextPath, 'a path')),
    result: fields.text('result', 16) ?? '',
    ...optional('chosen', fields.parsed('chosen', parseNodeId, 'a name')),
    because: fields.text('because', 1_024) ?? '',
    candidates: fields.objects('candidates', 10, readCandidate) ?? [],
    candidateCount: fields.integer('candidateCount', COUNT) ?? 0,
  };
}

function readPastDecision(fields: Fields): PastDecision | undefined {
  return {
    requestId: fields.text('requestId', 128) ?? '',
    atUnixMs: count(fields, 'atUnixMs'),
    method: fields.text('method', 32) ?? '',
    host: fields.text('host', 300) ?? '',
    path: fields.text('path', 256) ?? '',
    ...optional('balancer', fields.parsed('balancer', parseBalancerName, 'a name')),
    ...optional('context', fields.parsed('context', parseContextPath, 'a path')),
    ...optional('sessionFrom', fields.text('sessionFrom', 128)),
    result: fields.text('result', 16) ?? '',
    ...optional('chosen', fields.parsed('chosen', parseNodeId, 'a name')),
    because: fields.text('because', 1_024) ?? '',
    attempts: fields.objects('attempts', 64, readPastAttempt) ?? [],
    waitedMs: count(fields, 'waitedMs'),
    status: fields.integer('status', { min: 0, max: 999 }) ?? 0,
    ...optional('upstreamMs', fields.number('upstreamMs', COUNT)),
    durationMs: count(fields, 'durationMs'),
  };
}

function readPastAttempt(fields: Fields): PastAttempt | undefined {
  const node = fields.parsed('node', parseNodeId, 'a name');
  return (
    node && {
      node,
      outcome: fields.text('outcome', 256) ?? '',
      ...optional('afterMs', fields.number('afterMs', COUNT)),
    }
  );
}

function readCandidate(fields: Fields): ExplainedCandidate | undefined {
  const id = fields.parsed('id', parseNodeId, 'a name');
  return (
    id && {
      id,
      isEligible: fields.boolean('isEligible') ?? false,
      reason: fields.text('reason', 256) ?? '',
      ...optional('score', fields.number('score', { min: -Number.MAX_VALUE, max: Number.MAX_VALUE })),
    }
  );
}

function readScore(fields: Fields): ScoreboardAnswer['connections'][number] | undefined {
  return {
    client: fields.text('client', 64) ?? '',
    state: fields.oneOf('state', ['idle', 'reading', 'sending', 'tunnel']) ?? 'idle',
    method: fields.text('method', 32) ?? '',
    ...optional('host', fields.text('host', 300)),
    path: fields.text('path', 256) ?? '',
    node: fields.text('node', 64) ?? '',
    ageMs: fields.number('ageMs', COUNT) ?? 0,
  };
}
