/**
 * The admin API in TypeBox. Fastify checks bodies against these schemas, and `/openapi.json` shows them. The types of `admin.ts`
 * in protocol are the contract; with `body` and `answer` the compiler checks each schema against its type.
 */
import { MAX_DECISIONS, MAX_DECISIONS_MS } from '@rollcall/feed';
import type {
  AcknowledgeBody,
  AppliedResource,
  BalancerPatch,
  BalancerResource,
  BalancersResource,
  BalancerWriteResult,
  CoordinatorsResource,
  Decision,
  DecisionsBody,
  DecisionsResource,
  DrainEndBody,
  DrainPatch,
  DrainProgress,
  DrainResource,
  DrainsResource,
  EventResource,
  EventsResource,
  ExplainAnswer,
  ExplainBody,
  ForgetBody,
  ForgetResult,
  LoginLink,
  LoginResource,
  LoginsResource,
  NodeExplanation,
  NodePatch,
  NodePut,
  NodeResource,
  NodesResource,
  PastDecisionResource,
  PastDecisionsQuery,
  PastDecisionsResource,
  Problem,
  ProblemKind,
  ProblemLevel,
  ReloadResult,
  RemoveBody,
  ScaleBody,
  ScaleResult,
  SelectedStatusBody,
  StatusBody,
  StatusResource,
  TimeLimit,
  TimeLimitKey,
  Verdict,
  WritePreview,
  WriteResult,
} from '@rollcall/protocol';
import {
  COOKIE_AFTER_MS,
  MAX_CONTEXTS,
  MAX_HOSTS,
  MAX_LIMIT_PATHS,
  MAX_REASON_CHARACTERS,
  MAX_WHERE_CHARACTERS,
  MAX_WISH_MS,
  PROBLEM_KINDS,
  PROBLEM_LEVELS,
  TIME_LIMIT_KEYS,
  TTL_MS,
} from '@rollcall/protocol';
import type { Static, TOptional, TSchema, TUnsafe } from 'typebox';
import { Type } from 'typebox';
import type { PageQuery } from './paging.ts';

type DeepReadonly<Value> = Value extends string | number | boolean | null | undefined
  ? Value
  : { readonly [Key in keyof Value]: DeepReadonly<Value[Key]> };

/**
 * A schema whose values are all `Value`s: a checked value can be used as one. `title` is the name of the type, under which the document
 * has the schema.
 */
export function body<Value>(title?: string) {
  return <Schema extends TSchema>(schema: Static<Schema> extends Value ? Schema : never): TUnsafe<Value> =>
    Type.Unsafe<Value>(titled(schema, title));
}

/** A schema that every `Value` satisfies, so that answers match their documentation. `title` as for `body`. */
export function answer<Value>(title?: string) {
  return <Schema extends TSchema>(
    schema: Value extends DeepReadonly<Static<Schema>> ? Schema : never,
  ): TUnsafe<Value> => Type.Unsafe<Value>(titled(schema, title));
}

function titled<Schema extends TSchema>(schema: Schema, title: string | undefined): TSchema {
  return title === undefined ? schema : { title, ...schema };
}

const SEEN_AGAIN = 'active sessions that were seen again: a request has sent the id of the session';
const SEEN_ONCE =
  'active sessions that were seen once: an answer has opened the session, and no request has sent its id';

const USED_IN_LAST_MINUTE =
  'sessions of sessionsLeft used within the last minute, at the workers of this coordinator; absent in the first minute';
const EMPTY_AT = 'estimate of the end, from the decay of the sessions over the last minutes; absent while unknown';

export const closed = { additionalProperties: false } as const;

export const Name: TUnsafe<string> = Type.Unsafe<string>(
  Type.String({ maxLength: 128, description: '[A-Za-z0-9_-]{1,64}' }),
);
/** Text without control characters and line ends, because it is forwarded to workers and terminals. */
export const plainText = (maxLength: number, description?: string): TUnsafe<string> =>
  Type.Unsafe<string>(
    Type.String({
      maxLength,
      pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$',
      ...(description && { description }),
    }),
  );

/** Id of the change in the answer to a write. */
export const ChangeId: TOptional<TUnsafe<string>> = Type.Optional(
  Type.Unsafe<string>({
    type: 'string',
    description: 'for `POST /v1/undo` and the audit; absent when nothing has changed',
  }),
);

const Reason = plainText(MAX_REASON_CHARACTERS, 'recorded in the audit');
const Force = Type.Boolean({
  description:
    'also when fewer eligible nodes are left than `minEligible` of the balancer; otherwise 409 `budget`, or `nobody-eligible` for none',
});
const WhereText = plainText(MAX_WHERE_CHARACTERS);
const WHERE =
  'selects the nodes that match every key; host: of the address or of the process; node: id with * for any characters and ? for one';
const DurationMs = Type.Number({ minimum: 0, maximum: MAX_WISH_MS });
const Texts = Type.Array(Type.String({ maxLength: 256 }), { maxItems: MAX_HOSTS });
const ContextText = Type.String({ maxLength: 256 });
const Contexts = Type.Array(
  Type.Union([ContextText, Type.Object({ path: ContextText, hosts: Type.Optional(Texts) })]),
  {
    maxItems: MAX_CONTEXTS,
    description:
      'paths, or objects with a path and, in place of the hosts of the node, hosts of its own; other fields of the objects are ignored',
  },
);
const StatusWord = Type.Union([Type.Literal('enabled'), Type.Literal('draining'), Type.Literal('stopped')]);
const ModeWord = Type.Union([
  Type.Literal('insert'),
  Type.Literal('suffix'),
  Type.Literal('rewrite'),
  Type.Literal('none'),
]);
const FailoverWord = Type.Union([
  Type.Literal('any'),
  Type.Literal('group'),
  Type.Literal('none'),
  Type.Literal('eager'),
]);

// Bodies

export const StatusBodySchema: TUnsafe<StatusBody> = body<StatusBody>('StatusBody')(
  Type.Object(
    {
      contexts: Type.Optional(Type.Array(ContextText, { minItems: 1, maxItems: 64 })),
      reason: Type.Optional(Reason),
      deadlineMs: Type.Optional(DurationMs),
      forMs: Type.Optional(DurationMs),
      dryRun: Type.Optional(Type.Boolean()),
      force: Type.Optional(Force),
    },
    closed,
  ),
);

export const SelectedStatusBodySchema: TUnsafe<SelectedStatusBody> = body<SelectedStatusBody>('SelectedStatusBody')(
  Type.Object(
    {
      where: Type.Object(
        {
          version: Type.Optional(WhereText),
          group: Type.Optional(WhereText),
          host: Type.Optional(WhereText),
          balancer: Type.Optional(WhereText),
          node: Type.Optional(WhereText),
        },
        { ...closed, minProperties: 1, description: WHERE },
      ),
      reason: Type.Optional(Reason),
      deadlineMs: Type.Optional(DurationMs),
      forMs: Type.Optional(DurationMs),
      dryRun: Type.Optional(Type.Boolean()),
      force: Type.Optional(Force),
    },
    closed,
  ),
);

export const DrainPatchSchema: TUnsafe<DrainPatch> = body<DrainPatch>('DrainPatch')(
  Type.Object(
    {
      deadlineMs: Type.Union([DurationMs, Type.Null()], {
        description: 'time from now after which the drain ends, even if sessions remain; null: no deadline',
      }),
      reason: Type.Optional(Reason),
      dryRun: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
);

export const DrainEndBodySchema: TUnsafe<DrainEndBody> = body<DrainEndBody>('DrainEndBody')(
  Type.Object(
    { reason: Type.Optional(Reason), dryRun: Type.Optional(Type.Boolean()), force: Type.Optional(Force) },
    closed,
  ),
);

export const NodePatchSchema: TUnsafe<NodePatch> = body<NodePatch>('NodePatch')(
  Type.Object(
    {
      weight: Type.Optional(Type.Union([Type.Number({ minimum: 0.001, maximum: 100 }), Type.Null()])),
      standby: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
      redirectTo: Type.Optional(Type.Union([Name, Type.Null()])),
      reason: Type.Optional(Reason),
      dryRun: Type.Optional(Type.Boolean()),
      force: Type.Optional(Force),
    },
    closed,
  ),
);

export const NodePutSchema: TUnsafe<NodePut> = body<NodePut>('NodePut')(
  Type.Object(
    {
      balancer: Type.Optional(Name),
      url: Type.String({ maxLength: 512 }),
      route: Type.Optional(Name),
      contexts: Type.Optional(Contexts),
      stripPrefix: Type.Optional(Type.Boolean()),
      hosts: Type.Optional(Texts),
      weight: Type.Optional(Type.Number({ minimum: 0.001, maximum: 100 })),
      group: Type.Optional(Name),
      readyPath: Type.Optional(
        Type.String({
          pattern: '^/[!-~]{0,255}$',
          description: 'path that the coordinator requests each second; an answer below 500 means ready for new work',
        }),
      ),
      ttlMs: Type.Optional(Type.Integer({ minimum: TTL_MS.min, maximum: TTL_MS.max })),
      load: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
      sessions: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
      replace: Type.Optional(
        Type.Boolean({ description: 'replace a node with this id that is registered at another address' }),
      ),
      dryRun: Type.Optional(Type.Boolean()),
      publicUrl: Type.Optional(Type.String({ maxLength: 512 })),
      sticky: Type.Optional(
        Type.Object(
          {
            mode: Type.Optional(ModeWord),
            cookies: Type.Optional(Texts),
            parameters: Type.Optional(Texts),
            failover: Type.Optional(FailoverWord),
            remove: Type.Optional(Type.Boolean()),
            movable: Type.Optional(Type.Boolean()),
          },
          closed,
        ),
      ),
    },
    closed,
  ),
);

export const ScaleBodySchema: TUnsafe<ScaleBody> = body<ScaleBody>('ScaleBody')(
  Type.Object(
    {
      count: Type.Integer({ minimum: 1, maximum: 1_000 }),
      reason: Type.Optional(Reason),
      dryRun: Type.Optional(Type.Boolean()),
      force: Type.Optional(Force),
    },
    closed,
  ),
);

export const ForgetBodySchema: TUnsafe<ForgetBody> = body<ForgetBody>('ForgetBody')(
  Type.Object(
    {
      path: Type.Optional(Type.String({ maxLength: 256 })),
      host: Type.Optional(Type.String({ maxLength: 253 })),
      reason: Type.Optional(Reason),
      dryRun: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
);

const CookieLifetimeSchema = Type.Union([
  Type.Object({ ends: Type.Union([Type.Literal('session'), Type.Literal('application')]) }, closed),
  Type.Object(
    {
      ends: Type.Union([Type.Literal('idle'), Type.Literal('whole')]),
      afterMs: Type.Integer({ minimum: COOKIE_AFTER_MS.min, maximum: COOKIE_AFTER_MS.max }),
    },
    closed,
  ),
]);

const ROUTE_COOKIE = {
  name: Type.String({ maxLength: 64 }),
  sameSite: Type.Union([Type.Literal('Lax'), Type.Literal('Strict'), Type.Literal('None')]),
  secure: Type.Union([Type.Literal('auto'), Type.Literal('always')], {
    description: 'auto: if the client uses TLS',
  }),
  partitioned: Type.Boolean(),
  domain: Type.String({ maxLength: 253, description: 'empty: only the host of the request' }),
  path: Type.String({ maxLength: 256, description: 'empty: the context' }),
  lifetime: CookieLifetimeSchema,
};

const RouteCookiePatchSchema = Type.Object(
  {
    name: Type.Optional(Type.Union([ROUTE_COOKIE.name, Type.Null()])),
    sameSite: Type.Optional(Type.Union([ROUTE_COOKIE.sameSite, Type.Null()])),
    secure: Type.Optional(Type.Union([ROUTE_COOKIE.secure, Type.Null()])),
    partitioned: Type.Optional(Type.Union([ROUTE_COOKIE.partitioned, Type.Null()])),
    domain: Type.Optional(Type.Union([ROUTE_COOKIE.domain, Type.Null()])),
    path: Type.Optional(Type.Union([ROUTE_COOKIE.path, Type.Null()])),
    lifetime: Type.Optional(Type.Union([CookieLifetimeSchema, Type.Null()])),
  },
  closed,
);

/** Wide on purpose: `settingsMistake` checks the value and names the valid ones. */
const LimitChange = Type.Optional(
  Type.Unsafe<TimeLimit | null>(
    Type.Union([Type.Number(), Type.String({ maxLength: 64 }), Type.Null()], {
      description: 'whole milliseconds from 1 to 86400000, or "none" for no limit; null removes it',
    }),
  ),
);
const LIMIT_CHANGES = {
  upstreamTimeoutMs: LimitChange,
  upstreamIdleMs: LimitChange,
  eventStreamIdleMs: LimitChange,
  tunnelIdleMs: LimitChange,
  bodyTimeoutMs: LimitChange,
} satisfies Record<TimeLimitKey, unknown>;

const LimitsChange = Type.Object(
  {
    ...LIMIT_CHANGES,
    paths: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.Object(LIMIT_CHANGES, closed), Type.Null()]), {
        description: `limits by path prefix, at most ${MAX_LIMIT_PATHS}; null removes all limits of a path`,
      }),
    ),
  },
  closed,
);

export const BalancerPatchSchema: TUnsafe<BalancerPatch> = body<BalancerPatch>('BalancerPatch')(
  Type.Object(
    {
      algorithm: Type.Optional(Type.Union([Name, Type.Null()])),
      sessionAlgorithm: Type.Optional(Type.Union([Name, Type.Null()])),
      retries: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 10 }), Type.Null()])),
      sessionIdleMs: Type.Optional(Type.Union([Type.Integer({ minimum: 1_000, maximum: MAX_WISH_MS }), Type.Null()])),
      minEligible: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 1_000 }), Type.Null()])),
      assign: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
      sticky: Type.Optional(
        Type.Object(
          {
            mode: Type.Optional(Type.Union([ModeWord, Type.Null()])),
            cookies: Type.Optional(Type.Union([Texts, Type.Null()])),
            parameters: Type.Optional(Type.Union([Texts, Type.Null()])),
            failover: Type.Optional(Type.Union([FailoverWord, Type.Null()])),
            remove: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
            movable: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
            routeCookie: Type.Optional(RouteCookiePatchSchema),
          },
          closed,
        ),
      ),
      limits: Type.Optional(LimitsChange),
      reason: Type.Optional(Reason),
      dryRun: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
);

export const ExplainBodySchema: TUnsafe<ExplainBody> = body<ExplainBody>('ExplainBody')(
  Type.Object(
    {
      host: Type.Optional(plainText(253)),
      target: Type.Optional(plainText(8_192)),
      cookie: Type.Optional(plainText(16_384, 'used for this answer only, not stored')),
    },
    closed,
  ),
);

export const DecisionsBodySchema: TUnsafe<DecisionsBody> = body<DecisionsBody>('DecisionsBody')(
  Type.Object(
    {
      count: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_DECISIONS })),
      forMs: Type.Optional(Type.Number({ minimum: 1, maximum: MAX_DECISIONS_MS })),
      onlyPicks: Type.Optional(Type.Boolean({ description: 'leave out requests that followed their session' })),
    },
    closed,
  ),
);

export const RemoveBodySchema: TUnsafe<RemoveBody> = body<RemoveBody>('RemoveBody')(
  Type.Object(
    { reason: Type.Optional(Reason), dryRun: Type.Optional(Type.Boolean()), force: Type.Optional(Force) },
    closed,
  ),
);

export const AcknowledgeBodySchema: TUnsafe<AcknowledgeBody> = body<AcknowledgeBody>('AcknowledgeBody')(
  Type.Object({ reason: Type.Optional(Reason), dryRun: Type.Optional(Type.Boolean()) }, closed),
);

// Answers

const RequestedStatus = Type.Object(
  {
    status: StatusWord,
    reason: Type.Optional(Type.String()),
    by: Type.Optional(Type.String()),
    atUnixMs: Type.Optional(Type.Number()),
    deadlineAtUnixMs: Type.Optional(Type.Number()),
    untilUnixMs: Type.Optional(Type.Number()),
  },
  { title: 'WantedStatus' },
);

const LivenessWord = Type.Union([
  Type.Literal('joining'),
  Type.Literal('up'),
  Type.Literal('suspect'),
  Type.Literal('down'),
  Type.Literal('missing'),
  Type.Literal('gone'),
]);

const PortWord = Type.Union([
  Type.Literal('unknown'),
  Type.Literal('answers'),
  Type.Literal('unresponsive'),
  Type.Literal('refused'),
  Type.Literal('given-up'),
]);

export const DrainProgressSchema: TUnsafe<DrainProgress> = answer<DrainProgress>('DrainProgress')(
  Type.Object({
    sinceUnixMs: Type.Number(),
    sessionsLeft: Type.Number({ description: 'sessions seen again; the drain waits for them' }),
    sessionsSeenOnce: Type.Number({ description: 'sessions seen once; the drain does not wait for them' }),
    oldestSessionMs: Type.Optional(
      Type.Number({ description: 'least age of the oldest session seen again, at most that of the coordinator' }),
    ),
    usedInLastMinute: Type.Optional(Type.Integer({ description: USED_IN_LAST_MINUTE })),
    emptyAtUnixMs: Type.Optional(Type.Number({ description: EMPTY_AT })),
    inFlight: Type.Number(),
    tunnels: Type.Number(),
    isDone: Type.Boolean(),
    waitingFor: Type.Array(Type.String()),
  }),
);

export const NodeSchema: TUnsafe<NodeResource> = answer<NodeResource>('NodeResource')(
  Type.Object({
    id: Type.String(),
    balancer: Type.String(),
    url: Type.String(),
    route: Type.String(),
    hosts: Type.Array(Type.String()),
    contexts: Type.Array(
      Type.Object({
        path: Type.String(),
        status: StatusWord,
        hosts: Type.Optional(
          Type.Array(Type.String(), { description: 'hosts of this context in this status; absent: those of the node' }),
        ),
      }),
    ),
    group: Type.Optional(Type.String()),
    weight: Type.Number(),
    isStandby: Type.Boolean(),
    isStatic: Type.Boolean(),
    stripPrefix: Type.Optional(Type.Boolean()),
    redirectTo: Type.Optional(Type.String()),
    incarnation: Type.Number(),
    process: Type.Optional(Type.Object({ host: Type.Optional(Type.String()), pid: Type.Optional(Type.Number()) })),
    version: Type.Optional(Type.String()),
    meta: Type.Record(Type.String(), Type.String()),
    status: StatusWord,
    wanted: RequestedStatus,
    reported: RequestedStatus,
    liveness: LivenessWord,
    livenessReason: Type.Optional(Type.String()),
    heardBy: Type.Optional(
      Type.Array(Type.String(), {
        description: 'coordinators that receive its heartbeats, while it has no connection to this one',
      }),
    ),
    readyPath: Type.Optional(Type.String()),
    isReady: Type.Boolean({ description: 'false: new work goes to ready nodes while there are any' }),
    readyReason: Type.Optional(
      Type.String({
        description:
          'why the node is not ready, to follow "it": the answer of the ready path, or the report of the node',
      }),
    ),
    flapping: Type.Optional(
      Type.Object(
        {
          count: Type.Number(),
          sinceUnixMs: Type.Number(),
          heldUntilUnixMs: Type.Optional(
            Type.Number({ description: 'until then new sessions go to ready nodes while there are any' }),
          ),
        },
        {
          description:
            'present if the node returned three times in ten minutes; ends after ten minutes without suspicion',
        },
      ),
    ),
    observed: Type.Object({
      recent: Type.Object({ requests: Type.Number(), errorRatio: Type.Number() }),
      ejection: Type.Optional(Type.Object({ reason: Type.String(), sinceUnixMs: Type.Number(), count: Type.Number() })),
      isEjected: Type.Boolean(),
      ejectedBy: Type.Array(Type.String()),
      requests: Type.Number(),
      failures: Type.Number(),
      serverErrors: Type.Number(),
      latencyMs: Type.Number({ description: '-1 before the first answer' }),
      bytesToNode: Type.Number(),
      bytesFromNode: Type.Number(),
      ports: Type.Array(Type.Object({ worker: Type.String(), port: PortWord }), {
        description: 'state of the port as each connected worker last reported it',
      }),
      parked: Type.Number({ description: 'requests parked until the node answers' }),
      failovers: Type.Record(Type.String(), Type.Number(), {
        description: 'sessions moved away from the node, by cause',
      }),
    }),
    load: Type.Optional(Type.Number({ description: '0 idle … 1 full' })),
    loadFactor: Type.Optional(
      Type.Number({ description: '0–100, higher is freer, 0 is standby; absent when no load was ever reported' }),
    ),
    metrics: Type.Record(Type.String(), Type.Number()),
    sessions: Type.Number({ description: SEEN_AGAIN }),
    sessionsSeenOnce: Type.Number({ description: SEEN_ONCE }),
    sessionsFrom: Type.Union([Type.Literal('node'), Type.Literal('workers')], {
      description: 'source of the sum of both; which of them were seen again is the count of the workers',
    }),
    newSessions: Type.Number(),
    inFlight: Type.Number(),
    tunnels: Type.Number(),
    registeredAtUnixMs: Type.Number(),
    silentMs: Type.Number({ description: '-1 for static members' }),
    goneAtUnixMs: Type.Optional(Type.Number()),
    acknowledged: Type.Optional(
      Type.Object({ by: Type.String(), reason: Type.Optional(Type.String()), atUnixMs: Type.Number() }),
    ),
    drain: Type.Optional(DrainProgressSchema),
    warnings: Type.Array(Type.Object({ code: Type.String(), message: Type.String() })),
  }),
);

export const NodesSchema: TUnsafe<NodesResource> = answer<NodesResource>('NodesResource')(
  Type.Object({ nodes: Type.Array(NodeSchema), next: Type.Optional(Type.String()) }),
);

export const DrainSchema: TUnsafe<DrainResource> = answer<DrainResource>('DrainResource')(
  Type.Object({
    node: Type.String(),
    balancer: Type.String(),
    by: Type.Optional(Type.String({ description: 'absent: the node itself requests the drain' })),
    reason: Type.Optional(Type.String()),
    sinceUnixMs: Type.Number(),
    deadlineUnixMs: Type.Optional(Type.Number()),
    sessionsLeft: Type.Number({ description: 'sessions seen again; the drain waits for them' }),
    sessionsSeenOnce: Type.Number({ description: 'sessions seen once; the drain does not wait for them' }),
    usedInLastMinute: Type.Optional(Type.Integer({ description: USED_IN_LAST_MINUTE })),
    oldestMs: Type.Optional(Type.Number({ description: 'least age of the oldest session seen again' })),
    inFlight: Type.Number(),
    tunnels: Type.Number(),
    emptyAtUnixMs: Type.Optional(Type.Number({ description: EMPTY_AT })),
    waitingFor: Type.Optional(
      Type.Array(Type.String(), { description: 'workers and coordinators whose counts are missing' }),
    ),
    outcome: Type.Optional(
      Type.Union([Type.Literal('empty'), Type.Literal('deadline-over'), Type.Literal('killed')], {
        description: 'absent while the drain continues',
      }),
    ),
    endedAtUnixMs: Type.Optional(Type.Number()),
    sessionsLost: Type.Optional(Type.Number({ description: 'only with outcome killed' })),
  }),
);

export const DrainsSchema: TUnsafe<DrainsResource> = answer<DrainsResource>('DrainsResource')(
  Type.Object({ drains: Type.Array(DrainSchema), next: Type.Optional(Type.String()) }),
);

const ExplainedShareSchema = Type.Object({
  count: Type.Number({ description: 'requests per second, or sessions' }),
  share: Type.Number({ description: '0 … 1, share of the total of the balancer' }),
  fairShare: Type.Number({ description: '0 … 1 by weight; 0 for a node that gets no new sessions' }),
});

export const NodeExplanationSchema: TUnsafe<NodeExplanation> = answer<NodeExplanation>('NodeExplanation')(
  Type.Object({
    id: Type.String(),
    balancer: Type.String(),
    because: Type.Array(Type.String(), { description: 'reasons in sentences, the most important first' }),
    load: Type.Optional(Type.Number({ description: '0 idle … 1 full, as last reported' })),
    meanLoad: Type.Optional(Type.Number({ description: 'mean of the last ten reports, weighted towards the newest' })),
    loadFactor: Type.Optional(
      Type.Number({ description: '0–100, higher is freer, 0 is standby; absent when no load was ever reported' }),
    ),
    toldMs: Type.Number({ description: 'age of the last load report in milliseconds; -1 without a report' }),
    inFlight: Type.Optional(Type.Number()),
    serviceMs: Type.Optional(Type.Number({ description: 'milliseconds of work per request' })),
    metrics: Type.Array(
      Type.Object({
        name: Type.String(),
        value: Type.Optional(Type.Number()),
        unit: Type.Optional(Type.String()),
        capacity: Type.Optional(Type.Number()),
        weight: Type.Optional(Type.Number()),
        isSoft: Type.Optional(Type.Boolean()),
        role: Type.Union([Type.Literal('limit'), Type.Literal('mean'), Type.Literal('shown'), Type.Literal('unknown')]),
        part: Type.Number({ description: 'present share of the load, 0 … 1' }),
        mean: Type.Number(),
        isDecisive: Type.Boolean(),
      }),
    ),
    requests: ExplainedShareSchema,
    sessions: ExplainedShareSchema,
    sessionsSeenOnce: Type.Number({ description: SEEN_ONCE }),
  }),
);

const Limit = Type.Optional(Type.Union([Type.Number(), Type.Literal('none')]));
const LIMITS = {
  upstreamTimeoutMs: Limit,
  upstreamIdleMs: Limit,
  eventStreamIdleMs: Limit,
  tunnelIdleMs: Limit,
  bodyTimeoutMs: Limit,
} satisfies Record<TimeLimitKey, unknown>;

const CopiesSchema = Type.Optional(
  Type.Object(
    {
      wanted: Type.Integer({ description: 'nodes when every copy is up: kept copies and all other nodes' }),
      kept: Type.Integer({ description: 'copies that wrappers keep' }),
      wrappers: Type.Integer(),
      up: Type.Integer({ description: 'nodes that are up and enabled' }),
      drained: Type.Integer({ description: 'nodes that are up and drained or stopped by an operator; part of wanted' }),
      failing: Type.Array(
        Type.Object({
          copy: Type.Integer(),
          host: Type.Optional(Type.String()),
          attempts: Type.Integer({ description: 'failed attempts since the copy was last healthy' }),
          cause: Type.String(),
          retryMs: Type.Optional(
            Type.Number({ description: 'until the next attempt; absent while an attempt is running' }),
          ),
        }),
      ),
    },
    {
      title: 'CopiesResource',
      description: 'what the wrappers keep and what came up; absent when no connected wrapper keeps copies',
    },
  ),
);

export const BalancerSchema: TUnsafe<BalancerResource> = answer<BalancerResource>('BalancerResource')(
  Type.Object({
    name: Type.String(),
    algorithm: Type.String(),
    sessionAlgorithm: Type.String(),
    sticky: Type.Object({
      mode: ModeWord,
      cookies: Type.Array(Type.String()),
      parameters: Type.Array(Type.String()),
      failover: FailoverWord,
      remove: Type.Boolean(),
      movable: Type.Boolean(),
      routeCookie: Type.Object({
        ...ROUTE_COOKIE,
        earlierNames: Type.Array(Type.String(), { description: 'names of cookies that are read and replaced' }),
      }),
    }),
    retries: Type.Number(),
    sessionIdleMs: Type.Number(),
    minEligible: Type.Integer({
      description: 'eligible nodes that a write leaves in each context unless it is forced',
    }),
    assign: Type.Boolean(),
    limits: Type.Optional(
      Type.Object({ ...LIMITS, paths: Type.Optional(Type.Record(Type.String(), Type.Object(LIMITS))) }),
    ),
    origins: Type.Record(Type.String(), Type.String()),
    nodes: Type.Number(),
    nodesUp: Type.Number(),
    sessions: Type.Number({ description: SEEN_AGAIN }),
    sessionsSeenOnce: Type.Number({ description: SEEN_ONCE }),
    inFlight: Type.Number(),
    contexts: Type.Array(Type.Object({ host: Type.String(), path: Type.String() })),
    copies: CopiesSchema,
  }),
);

export const BalancersSchema: TUnsafe<BalancersResource> = answer<BalancersResource>('BalancersResource')(
  Type.Object({ balancers: Type.Array(BalancerSchema), next: Type.Optional(Type.String()) }),
);

const UnservedWord = Type.Union([
  Type.Literal('never'),
  Type.Literal('unreachable'),
  Type.Literal('links-closed'),
  Type.Literal('unresponsive'),
  Type.Literal('crashed'),
  Type.Literal('expired'),
  Type.Literal('left'),
  Type.Literal('removed'),
  Type.Literal('drained'),
  Type.Literal('stopped'),
]);

const RememberedContextObject = Type.Object({
  balancer: Type.String(),
  host: Type.String(),
  path: Type.String(),
  sinceUnixMs: Type.Number({ description: 'when its last node left' }),
});

const QuotaNameWord = Type.Union([
  Type.Literal('nodes'),
  Type.Literal('tokenless-nodes'),
  Type.Literal('balancers'),
  Type.Literal('balancer-hosts'),
  Type.Literal('balancer-contexts'),
  Type.Literal('registrations'),
  Type.Literal('tokenless-connections'),
]);

const CertificateProblem = Type.Optional(
  Type.String({ description: 'why the present files cannot be used; the certificate read before is in use' }),
);

const CoordinatorSchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  release: Type.String(),
  url: Type.Optional(Type.String({ description: 'address that it announces to agents; absent: none' })),
  isOwn: Type.Boolean(),
  liveness: Type.Union([Type.Literal('running'), Type.Literal('down'), Type.Literal('unknown')]),
});

export const CoordinatorsSchema: TUnsafe<CoordinatorsResource> = answer<CoordinatorsResource>('CoordinatorsResource')(
  Type.Object({ coordinators: Type.Array(CoordinatorSchema) }),
);

export const VerdictSchema: TUnsafe<Verdict> = answer<Verdict>('Verdict')(
  Type.Object(
    {
      line: Type.String(),
      level: Type.Optional(Type.Union([Type.Literal('outage'), Type.Literal('harm'), Type.Literal('risk')])),
      problems: Type.Array(
        Type.Object({
          kind: Type.Unsafe<ProblemKind>(Type.Union(PROBLEM_KINDS.map((kind) => Type.Literal(kind)))),
          level: Type.Unsafe<ProblemLevel>(Type.Union(PROBLEM_LEVELS.map((level) => Type.Literal(level)))),
          balancer: Type.Optional(Type.String()),
          nodes: Type.Optional(Type.Array(Type.String())),
          message: Type.String(),
          effect: Type.Optional(Type.String({ description: 'what users notice' })),
          remedy: Type.Optional(Type.String()),
          sinceUnixMs: Type.Optional(Type.Number()),
        }),
      ),
      more: Type.Optional(Type.Number({ description: 'further problems' })),
    },
    {
      description: 'everything that is wrong, the gravest first; figures are those of the workers of this coordinator',
    },
  ),
);

export const StatusSchema: TUnsafe<StatusResource> = answer<StatusResource>('StatusResource')(
  Type.Object({
    name: Type.String(),
    version: Type.String(),
    node: Type.String({ description: 'version of Node.js' }),
    epoch: Type.String(),
    revision: Type.Number(),
    isSettled: Type.Boolean(),
    startedAtUnixMs: Type.Number(),
    nowUnixMs: Type.Number(),
    learningMs: Type.Number(),
    proxy: Type.String(),
    control: Type.String(),
    controlCertificate: Type.Optional(
      Type.Object(
        { path: Type.String(), endsAtUnixMs: Type.Number(), problem: CertificateProblem },
        { description: 'certificate of the control port; absent without TLS' },
      ),
    ),
    store: Type.Object({
      kind: Type.String(),
      isReachable: Type.Boolean(),
      sinceUnixMs: Type.Number(),
      lastError: Type.Optional(Type.String()),
      waiting: Type.Number({ description: 'changed records not yet in the store' }),
    }),
    sharing: Type.Optional(
      Type.Object(
        {
          kind: Type.String(),
          cluster: Type.Optional(
            Type.String({ description: 'name of the cluster in it; only coordinators with the same name share' }),
          ),
          isReachable: Type.Boolean(),
          sinceUnixMs: Type.Number(),
          lastError: Type.Optional(Type.String()),
          refusal: Type.Optional(Type.String({ description: 'why nothing is shared although it answers' })),
          waiting: Type.Number({ description: 'changed records that it does not have yet' }),
          unreadable: Type.Number({ description: 'records that this release cannot read' }),
          leftOut: Type.Number({
            description: 'records that were not taken: this coordinator holds as many as it may',
          }),
          coordinators: Type.Array(CoordinatorSchema),
        },
        { description: 'memory that the coordinators of the cluster share; absent for the only one' },
      ),
    ),
    state: Type.Object({
      directory: Type.String(),
      isWritable: Type.Boolean(),
      sinceUnixMs: Type.Optional(Type.Number({ description: 'start of the present failure to write' })),
      lastError: Type.Optional(Type.String()),
    }),
    workers: Type.Array(
      Type.Object({
        worker: Type.String(),
        pid: Type.Number(),
        version: Type.String(),
        connectedAtUnixMs: Type.Number(),
        revision: Type.Number(),
        isCurrent: Type.Boolean(),
        requests: Type.Number(),
        inFlight: Type.Number(),
        connections: Type.Number(),
        loopDelayMs: Type.Number(),
        refused: Type.Optional(Type.String({ description: 'why the worker, of another version, gets no feed' })),
      }),
    ),
    processes: Type.Array(
      Type.Object({
        name: Type.String({ description: 'control, worker, worker 1 … or static' }),
        pid: Type.Optional(Type.Number({ description: 'absent while the process restarts' })),
        sinceUnixMs: Type.Number(),
        restarts: Type.Number({ description: 'unplanned restarts; reloads do not count' }),
        restartReasons: Type.Object({ exit: Type.Number(), signal: Type.Number(), 'no-answer': Type.Number() }),
        lastReason: Type.Optional(
          Type.String({ description: 'error of the process, or exit 1, SIGKILL, no answer for 10 s' }),
        ),
        isServing: Type.Optional(Type.Boolean()),
        failedStarts: Type.Optional(
          Type.Number({ description: 'ends in a row before the process had served for 5 s' }),
        ),
        certificates: Type.Optional(
          Type.Array(
            Type.Object({
              path: Type.String(),
              names: Type.Array(Type.String()),
              endsAtUnixMs: Type.Number(),
              problem: CertificateProblem,
            }),
            { description: 'certificates of the TLS port that a worker uses; absent without one' },
          ),
        ),
      }),
      { description: 'processes of `rollcall up`; empty for a coordinator without a supervisor' },
    ),
    nodes: Type.Object({
      up: Type.Number({ description: 'excludes nodes that all connected workers have given up' }),
      suspect: Type.Number(),
      joining: Type.Number(),
      down: Type.Number({ description: 'static members that do not answer' }),
      missing: Type.Number({ description: 'gone without leave, as after a crash' }),
      gone: Type.Number({ description: 'left, removed, or at the end of their term' }),
    }),
    quotas: Type.Array(
      Type.Object({
        name: QuotaNameWord,
        limit: Type.Number({ description: 'set with `rollcall up --quota NAME=N`' }),
        used: Type.Number({ description: 'largest present use' }),
        by: Type.Optional(Type.String({ description: 'token, balancer, node or address with this use' })),
      }),
    ),
    parked: Type.Object({
      requests: Type.Number({ description: 'parked requests' }),
      oldestMs: Type.Number(),
    }),
    unserved: Type.Array(
      Type.Object({
        balancer: Type.String(),
        host: Type.String(),
        path: Type.String(),
        cause: UnservedWord,
        message: Type.String(),
        remedy: Type.String(),
        answeredBy: Type.Optional(
          Type.Object(
            { balancer: Type.String(), host: Type.String(), path: Type.String() },
            {
              description:
                'context that gets its requests in the meantime, because no node has served it yet, or not for ten minutes; absent: 503, or 404 if no context encloses it',
            },
          ),
        ),
      }),
      { description: 'contexts that no node can serve now' },
    ),
    remembered: Type.Array(RememberedContextObject, {
      description: 'contexts that have lost their last node; requests for them get 503 for ten minutes',
    }),
    sessions: Type.Number({ description: SEEN_AGAIN }),
    sessionsSeenOnce: Type.Number({ description: SEEN_ONCE }),
    totals: Type.Object({
      requests: Type.Number(),
      failed: Type.Number(),
      retries: Type.Number(),
      failovers: Type.Number(),
      moved: Type.Number(),
      unavailable: Type.Number(),
      bytesIn: Type.Number(),
      bytesOut: Type.Number(),
    }),
    requestsPerSecond: Type.Number(),
    verdict: VerdictSchema,
    advice: Type.Array(Type.String()),
  }),
);

export const EventSchema: TUnsafe<EventResource> = answer<EventResource>('EventResource')(
  Type.Object({
    id: Type.Number({ description: 'larger than those of all earlier events' }),
    atUnixMs: Type.Number(),
    type: Type.String(),
    node: Type.Optional(Type.String()),
    balancer: Type.Optional(Type.String()),
    message: Type.String(),
    by: Type.Optional(Type.String({ description: 'token that requested the change' })),
  }),
);

export const EventsSchema: TUnsafe<EventsResource> = answer<EventsResource>('EventsResource')(
  Type.Object({ events: Type.Array(EventSchema) }),
);

const PendingSchema = Type.Optional(
  Type.Literal(true, {
    description: 'in force but not yet in the store: lost if the coordinator ends before it is stored',
  }),
);

export const AppliedSchema: TUnsafe<AppliedResource> = answer<AppliedResource>('AppliedResource')(
  Type.Object(
    {
      applied: Type.Array(Type.String()),
      pending: Type.Array(Type.String()),
      absent: Type.Array(Type.String()),
    },
    {
      description:
        'names of the coordinators: the change is in force; it is not yet, or that is not known (then the status is 202); the coordinator is down',
    },
  ),
);

export const ForgetResultSchema: TUnsafe<ForgetResult> = answer<ForgetResult>('ForgetResult')(
  Type.Object({
    changeId: ChangeId,
    contexts: Type.Array(RememberedContextObject),
    isChanged: Type.Boolean(),
    isDryRun: Type.Boolean(),
    message: Type.String(),
    coordinators: Type.Optional(AppliedSchema),
    note: Type.Optional(Type.String()),
  }),
);

const LoadOutlookSchema = Type.Object({
  utilisation: Type.Number({ description: 'mean busy part of the time, 0–1; above 1: more work than capacity' }),
  p99Ms: Type.Optional(Type.Number({ description: 'absent when not measured, or saturated' })),
});

const PreviewSchema: TUnsafe<WritePreview> = answer<WritePreview>('WritePreview')(
  Type.Object({
    sessions: Type.Number(),
    sessionsSeenOnce: Type.Number(),
    carriedBy: Type.Array(Type.String(), {
      description: 'nodes that take the new work, at most 20',
    }),
    before: Type.Optional(LoadOutlookSchema),
    after: Type.Optional(LoadOutlookSchema),
    isSaturated: Type.Optional(Type.Boolean()),
    budget: Type.Optional(Type.Object({ minEligible: Type.Number(), eligible: Type.Number() })),
    sentence: Type.String(),
  }),
);

const WRITE_RESULT = {
  preview: Type.Optional(PreviewSchema),
  changeId: ChangeId,
  nodes: Type.Array(NodeSchema),
  more: Type.Optional(Type.Integer()),
  isChanged: Type.Boolean(),
  isDryRun: Type.Boolean(),
  message: Type.String(),
  nobodyEligible: Type.Optional(
    Type.String({ description: 'contexts that the write leaves without an eligible node; part of the message' }),
  ),
  belowBudget: Type.Optional(
    Type.String({
      description:
        'contexts that the write leaves some eligible nodes, but fewer than `minEligible`; part of the message',
    }),
  ),
  pending: PendingSchema,
  coordinators: Type.Optional(AppliedSchema),
  note: Type.Optional(Type.String()),
};

export const WriteResultSchema: TUnsafe<WriteResult> = answer<WriteResult>('WriteResult')(Type.Object(WRITE_RESULT));

export const ScaleResultSchema: TUnsafe<ScaleResult> = answer<ScaleResult>('ScaleResult')(
  Type.Object({ ...WRITE_RESULT, copies: CopiesSchema }),
);

export const ReloadResultSchema: TUnsafe<ReloadResult> = answer<ReloadResult>('ReloadResult')(
  Type.Object({ message: Type.String(), note: Type.Optional(Type.String()) }),
);

export const BalancerWriteResultSchema: TUnsafe<BalancerWriteResult> = answer<BalancerWriteResult>(
  'BalancerWriteResult',
)(
  Type.Object({
    changeId: ChangeId,
    balancer: BalancerSchema,
    isChanged: Type.Boolean(),
    isDryRun: Type.Boolean(),
    message: Type.String(),
    pending: PendingSchema,
    coordinators: Type.Optional(AppliedSchema),
    note: Type.Optional(Type.String()),
  }),
);

const CandidateSchema = Type.Object(
  {
    id: Type.String(),
    isEligible: Type.Boolean(),
    reason: Type.String(),
    score: Type.Optional(Type.Number()),
  },
  { title: 'ExplainedCandidate' },
);

export const DecisionSchema: TUnsafe<Decision> = answer<Decision>('Decision')(
  Type.Object({
    atUnixMs: Type.Number(),
    method: Type.String(),
    host: Type.String(),
    path: Type.String(),
    balancer: Type.Optional(Type.String()),
    context: Type.Optional(Type.String()),
    result: Type.String(),
    chosen: Type.Optional(Type.String()),
    because: Type.String(),
    candidates: Type.Array(CandidateSchema),
    candidateCount: Type.Number(),
  }),
);

export const DecisionsSchema: TUnsafe<DecisionsResource> = answer<DecisionsResource>('DecisionsResource')(
  Type.Object({ decisions: Type.Array(DecisionSchema) }),
);

const PastDecisionResourceSchema = Type.Object({
  decision: Type.Object({
    requestId: Type.String(),
    atUnixMs: Type.Number({ description: 'arrival of the request' }),
    method: Type.String(),
    host: Type.String(),
    path: Type.String({ description: 'without query and parameters, at most 256 characters' }),
    balancer: Type.Optional(Type.String()),
    context: Type.Optional(Type.String()),
    sessionFrom: Type.Optional(
      Type.String({ description: 'where a known session was found: `cookie NAME`, `path NAME`, `query NAME`' }),
    ),
    result: Type.String({ description: '`new`, `none`, `sticky`, `moved`; empty when no node was chosen' }),
    chosen: Type.Optional(Type.String({ description: 'the node that was chosen last' })),
    because: Type.String(),
    attempts: Type.Array(
      Type.Object({
        node: Type.String(),
        outcome: Type.String({ description: '`answered`, or why there was no complete answer' }),
        afterMs: Type.Optional(Type.Number()),
      }),
    ),
    waitedMs: Type.Number({ description: 'time that the request waited for a node' }),
    status: Type.Number({ description: 'of the answer; 499: the client left' }),
    upstreamMs: Type.Optional(Type.Number({ description: 'from the last attempt to its response head' })),
    durationMs: Type.Number(),
  }),
  worker: Type.String(),
});

export const PastDecisionSchema: TUnsafe<PastDecisionResource> =
  answer<PastDecisionResource>('PastDecisionResource')(PastDecisionResourceSchema);

export const PastDecisionsSchema: TUnsafe<PastDecisionsResource> = answer<PastDecisionsResource>(
  'PastDecisionsResource',
)(
  Type.Object({
    decisions: Type.Array(PastDecisionSchema, { description: 'newest first' }),
    workers: Type.Array(
      Type.Object({
        worker: Type.String(),
        kept: Type.Number({ description: 'requests that the worker keeps' }),
        sinceUnixMs: Type.Optional(Type.Number({ description: 'arrival of the oldest one' })),
      }),
    ),
  }),
);

export const RequestIdParams: TUnsafe<{ readonly requestId: string }> = body<{ readonly requestId: string }>()(
  Type.Object({
    requestId: Type.String({
      pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$",
      description: 'the field X-Request-Id of the answer',
    }),
  }),
);

export const PastDecisionsQuerySchema: TUnsafe<PastDecisionsQuery> = body<PastDecisionsQuery>()(
  Type.Object(
    {
      node: Type.Optional(Name),
      balancer: Type.Optional(Name),
      status: Type.Optional(Type.String({ pattern: '^[1-5](xx|[0-9]{2})$', description: '`502`, or a class: `5xx`' })),
      limit: Type.Optional(Type.String({ maxLength: 16, description: '1 to 1000, default 100' })),
    },
    closed,
  ),
);

export const ExplainAnswerSchema: TUnsafe<ExplainAnswer> = answer<ExplainAnswer>('ExplainAnswer')(
  Type.Object({
    type: Type.Literal('explain'),
    outcome: Type.Union([
      Type.Literal('forward'),
      Type.Literal('not-found'),
      Type.Literal('unavailable'),
      Type.Literal('bad-request'),
    ]),
    balancer: Type.Optional(Type.String()),
    context: Type.Optional(Type.String()),
    contextHost: Type.Optional(Type.String({ description: 'host name or pattern of the context' })),
    routeFrom: Type.Optional(Type.String()),
    route: Type.Optional(Type.String()),
    chosen: Type.Optional(Type.String()),
    because: Type.String(),
    candidates: Type.Array(CandidateSchema),
    limits: Type.Optional(
      Type.Array(
        Type.Object({
          key: Type.Unsafe<TimeLimitKey>(Type.Union(TIME_LIMIT_KEYS.map((key) => Type.Literal(key)))),
          value: Type.Union([Type.Number(), Type.Literal('none')]),
          from: Type.Union([Type.Literal('proxy'), Type.Literal('balancer'), Type.Literal('path')]),
          path: Type.Optional(Type.String()),
        }),
      ),
    ),
  }),
);

export const LoginLinkSchema: TUnsafe<LoginLink> = answer<LoginLink>('LoginLink')(Type.Object({ url: Type.String() }));

export const LoginSchema: TUnsafe<LoginResource> = answer<LoginResource>('LoginResource')(
  Type.Object({
    id: Type.String(),
    createdAtUnixMs: Type.Number(),
    expiresAtUnixMs: Type.Number(),
    from: Type.String(),
    agent: Type.String(),
    isCurrent: Type.Boolean(),
  }),
);

export const LoginsSchema: TUnsafe<LoginsResource> = answer<LoginsResource>('LoginsResource')(
  Type.Object({ logins: Type.Array(LoginSchema) }),
);

export const ProblemSchema: TUnsafe<Problem> = answer<Problem>('Problem')(
  Type.Object({
    type: Type.String(),
    title: Type.String(),
    status: Type.Number(),
    code: Type.String(),
    detail: Type.String(),
  }),
);

// Parameters and queries

export const IdParams: TUnsafe<{ readonly id: string }> = body<{ readonly id: string }>()(
  Type.Object({ id: Type.String({ maxLength: 128, description: 'id of the resource' }) }),
);

export const NodeParams: TUnsafe<{ readonly node: string }> = body<{ readonly node: string }>()(
  Type.Object({ node: Type.String({ maxLength: 128, description: 'id of the node' }) }),
);

export const NameParams: TUnsafe<{ readonly name: string }> = body<{ readonly name: string }>()(
  Type.Object({ name: Type.String({ maxLength: 128, description: 'name of the resource' }) }),
);

const Words = (description: string) => Type.String({ maxLength: 256, description });
const Search = (places: string) =>
  Type.String({ maxLength: 256, description: `words that must all occur in ${places}` });

const page = {
  limit: Type.Optional(
    Type.String({ maxLength: 16, description: 'upper bound of the entries in the answer, 1 to 1000' }),
  ),
  after: Type.Optional(Type.String({ maxLength: 128, description: '`next` of the previous page' })),
};

export const PageQuerySchema: TUnsafe<PageQuery> = body<PageQuery>()(Type.Object(page, closed));
/** Query of `GET /v1/balancers`. */
export interface BalancersQuery extends PageQuery {
  readonly q?: string;
}

export const BalancersQuerySchema: TUnsafe<BalancersQuery> = body<BalancersQuery>()(
  Type.Object({ q: Type.Optional(Search('name, hosts and contexts')), ...page }, closed),
);

/** Query of `GET /v1/nodes`. */
export interface NodesQuery extends PageQuery {
  /** Present with any value: gone nodes are included. */
  readonly all?: string;
  readonly balancer?: string;
  readonly group?: string;
  readonly status?: string;
  readonly liveness?: string;
  readonly q?: string;
  readonly fields?: string;
}

export const NodesQuerySchema: TUnsafe<NodesQuery> = body<NodesQuery>()(
  Type.Object(
    {
      all: Type.Optional(Type.String({ maxLength: 8, description: 'include gone nodes' })),
      balancer: Type.Optional(Type.String({ maxLength: 128, description: 'only nodes of this balancer' })),
      group: Type.Optional(Type.String({ maxLength: 128, description: 'only nodes of this group' })),
      status: Type.Optional(Words('status in force: enabled, draining, stopped; several with commas')),
      liveness: Type.Optional(Words('joining, up, suspect, down, missing, gone; several with commas')),
      q: Type.Optional(Search('id, balancer, address, route, group, version, status and liveness')),
      fields: Type.Optional(
        Type.String({ maxLength: 1_024, description: 'only these fields of each node, and the id; with commas' }),
      ),
      ...page,
    },
    closed,
  ),
);

/** Query of `GET /v1/events`. */
export interface EventsQuery {
  /** Only events after this number. */
  readonly since?: string;
  readonly node?: string;
  readonly balancer?: string;
  readonly type?: string;
  readonly sinceUnixMs?: string;
  readonly untilUnixMs?: string;
  readonly limit?: string;
}

export const UnixMs = (description: string): TUnsafe<string> =>
  Type.Unsafe<string>({ type: 'string', pattern: '^[0-9]{1,16}$', description: `${description}, Unix milliseconds` });

export const EventsQuerySchema: TUnsafe<EventsQuery> = body<EventsQuery>()(
  Type.Object(
    {
      since: Type.Optional(
        Type.String({ pattern: '^[0-9]{1,16}$', description: 'id of an event: only later events (default: 0)' }),
      ),
      node: Type.Optional(Type.String({ maxLength: 128, description: 'only events of this node' })),
      balancer: Type.Optional(
        Type.String({ maxLength: 128, description: 'only events of this balancer, and of its present nodes' }),
      ),
      type: Type.Optional(Words('only events of these types, like `status`; with commas')),
      sinceUnixMs: Type.Optional(UnixMs('only events from this instant on')),
      untilUnixMs: Type.Optional(UnixMs('only events until this instant')),
      limit: Type.Optional(
        Type.String({ maxLength: 16, description: 'upper bound of the events in a list, 1 to 1000: the newest ones' }),
      ),
    },
    closed,
  ),
);
