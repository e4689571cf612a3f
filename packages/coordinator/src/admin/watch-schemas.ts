/** `GET /v1/watch` in TypeBox, checked against the types of protocol by the compiler. */
import type {
  BalancerRow,
  NodeRow,
  ProblemKind,
  Rates,
  Role,
  ShownLiveness,
  WatchDelta,
  WatchSnapshot,
} from '@rollcall/protocol';
import { PROBLEM_KINDS } from '@rollcall/protocol';
import type { TUnsafe } from 'typebox';
import { Type } from 'typebox';
import { answer, body, closed, DrainProgressSchema, Name, VerdictSchema } from './schemas.ts';

export interface WatchQueryFields {
  readonly balancer?: string;
  readonly group?: string;
  readonly where?: string;
}

export const WatchQuerySchema: TUnsafe<WatchQueryFields> = body<WatchQueryFields>()(
  Type.Object(
    {
      balancer: Type.Optional(Name),
      group: Type.Optional(Name),
      where: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 512,
          description:
            'conditions on nodes, e.g. version=1.4.1,group=eu-1; keys balancer, group, version, host and node, an id in which * stands for any characters',
        }),
      ),
    },
    closed,
  ),
);

const perSecond = Type.Number({ minimum: 0, description: 'mean of the last ten seconds, two significant digits' });
const Milliseconds = Type.Number({ minimum: 0, description: 'two significant digits' });

export const RatesSchema: TUnsafe<Rates> = answer<Rates>('Rates')(
  Type.Object({
    requestsPerSecond: perSecond,
    errorsPerSecond: perSecond,
    failuresPerSecond: perSecond,
    retriesPerSecond: Type.Optional(perSecond),
    p50Ms: Type.Optional(Milliseconds),
    p99Ms: Type.Optional(Milliseconds),
  }),
);

const BalancerRowSchema = answer<BalancerRow>('BalancerRow')(
  Type.Object({
    eligible: Type.Number({ description: 'nodes that may take new work now' }),
    up: Type.Number(),
    missing: Type.Number(),
    wanted: Type.Optional(Type.Number()),
    sessions: Type.Number(),
    inFlight: Type.Number(),
    rates: RatesSchema,
  }),
);

const StatusSchema = Type.Union([Type.Literal('enabled'), Type.Literal('draining'), Type.Literal('stopped')]);

const NodeRowSchema = answer<NodeRow>('NodeRow')(
  Type.Object({
    balancer: Type.String(),
    url: Type.String(),
    route: Type.String(),
    group: Type.Optional(Type.String()),
    version: Type.Optional(Type.String()),
    host: Type.String({ description: 'host name of the process, otherwise host of the URL' }),
    kind: Type.Union([Type.Literal('agent'), Type.Literal('lease'), Type.Literal('static')]),
    liveness: Type.Unsafe<ShownLiveness>(
      Type.Union(['joining', 'up', 'suspect', 'down', 'gone', 'missing'].map((liveness) => Type.Literal(liveness))),
    ),
    sinceUnixMs: Type.Number({ description: 'start of the present liveness' }),
    isAcknowledged: Type.Optional(Type.Literal(true)),
    isNotReady: Type.Optional(Type.Literal(true)),
    status: StatusSchema,
    operatorStatus: Type.Optional(
      Type.Object({
        status: StatusSchema,
        by: Type.Optional(Type.String()),
        reason: Type.Optional(Type.String()),
        untilUnixMs: Type.Optional(Type.Number()),
        deadlineUnixMs: Type.Optional(Type.Number()),
      }),
    ),
    nodeStatus: StatusSchema,
    loadFactor: Type.Optional(Type.Number({ description: '0–100, higher is freer, 0 is standby' })),
    weight: Type.Number(),
    isStandby: Type.Boolean(),
    redirectTo: Type.Optional(Type.String()),
    sessions: Type.Number(),
    sessionsSeenOnce: Type.Number(),
    inFlight: Type.Number(),
    latencyMs: Type.Optional(Milliseconds),
    ejection: Type.Optional(
      Type.Object({
        reason: Type.String(),
        count: Type.Number(),
        sinceUnixMs: Type.Number(),
        isOver: Type.Optional(Type.Literal(true)),
      }),
    ),
    rates: RatesSchema,
    drain: Type.Optional(DrainProgressSchema),
    problems: Type.Optional(
      Type.Array(Type.Unsafe<ProblemKind>(Type.Union(PROBLEM_KINDS.map((kind) => Type.Literal(kind))))),
    ),
  }),
);

export const WatchSnapshotSchema: TUnsafe<WatchSnapshot> = answer<WatchSnapshot>('WatchSnapshot')(
  Type.Object(
    {
      atUnixMs: Type.Number(),
      coordinator: Type.Object({
        name: Type.String(),
        version: Type.String(),
        epoch: Type.String(),
        startedAtUnixMs: Type.Number(),
        role: Type.Unsafe<Role>(
          Type.Union(['join', 'proxy', 'viewer', 'operator', 'admin'].map((role) => Type.Literal(role))),
        ),
      }),
      verdict: VerdictSchema,
      totals: RatesSchema,
      balancers: Type.Record(Type.String(), BalancerRowSchema),
      nodes: Type.Record(Type.String(), NodeRowSchema),
    },
    {
      description:
        'as text/event-stream: event "snapshot" with this object, then events "delta" with a JSON merge patch (RFC 7396) for it; Last-Event-ID resumes',
    },
  ),
);

export const WatchDeltaSchema: TUnsafe<WatchDelta> = Type.Unsafe<WatchDelta>(
  Type.Object(
    { atUnixMs: Type.Number() },
    { title: 'WatchDelta', additionalProperties: true, description: 'JSON merge patch (RFC 7396) for the snapshot' },
  ),
);
