/** `GET /v1/watch`: the state of the cluster, as one snapshot or as a stream of a snapshot and its changes. */
import type { ServerResponse } from 'node:http';
import type { WatchSnapshot } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { acceptsGzip, GzipEncoding, PLAIN } from '../watch/frame.ts';
import { conditionsOf, type NodeConditions, queryOf } from '../watch/node-choice.ts';
import type { WatchQuery } from '../watch/watch-hub.ts';
import { type AdminApp, identityOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { OpenStreams, STREAM_FIELDS, type Stream } from './open-streams.ts';
import { Refusal } from './refusal.ts';
import { ProblemSchema } from './schemas.ts';
import { WatchDeltaSchema, type WatchQueryFields, WatchQuerySchema, WatchSnapshotSchema } from './watch-schemas.ts';

export function addWatch(app: AdminApp, dependencies: Dependencies): void {
  const { watch } = dependencies;
  const streams = new OpenStreams('GET /v1/watch', dependencies);
  app.get(
    '/v1/watch',
    {
      config: {
        role: 'viewer',
        events: { snapshot: WatchSnapshotSchema, delta: WatchDeltaSchema },
        errors: ['shutting-down'],
      },
      schema: {
        operationId: 'watchCluster',
        summary:
          'The state of the cluster as it is shown: a snapshot, or with Accept: text/event-stream a snapshot and its changes as JSON merge patches',
        querystring: WatchQuerySchema,
        response: { 200: WatchSnapshotSchema, '4xx': ProblemSchema },
      },
    },
    async (request, reply) => {
      const query = checkedQuery(request.query);
      const coordinator = about(dependencies, request);
      if (!request.headers.accept?.includes('text/event-stream')) return watch.snapshot(query, coordinator);
      return streams.begin(request, reply, (output) => stream(dependencies, request, query, coordinator, output));
    },
  );
}

function stream(
  { watch }: Dependencies,
  { headers }: FastifyRequest,
  query: WatchQuery,
  coordinator: WatchSnapshot['coordinator'],
  output: ServerResponse,
): Stream {
  const refusal = watch.refusal(query);
  if (refusal !== undefined) throw new Refusal({ code: 'rate-limited', message: refusal });
  const isGzip = acceptsGzip(headers['accept-encoding']);
  output.writeHead(200, {
    ...STREAM_FIELDS,
    vary: 'accept-encoding',
    ...(isGzip && { 'content-encoding': 'gzip' }),
  });
  const lastEventId = headers['last-event-id'];
  const viewer = watch.open({
    query,
    coordinator,
    output,
    encoding: isGzip ? new GzipEncoding() : PLAIN,
    lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
  });
  return { end: () => viewer.end(), closed: () => watch.leave(viewer) };
}

function about(
  { config: { name, version }, epoch, startedAtUnixMs }: Dependencies,
  request: FastifyRequest,
): WatchSnapshot['coordinator'] {
  return { name, version, epoch, startedAtUnixMs, role: identityOf(request).role };
}

/** Throws a `Refusal` for conditions that are malformed or given twice. */
function checkedQuery({ balancer, group, where }: WatchQueryFields): WatchQuery {
  const conditions = where === undefined ? {} : conditionsOf(where);
  const given: NodeConditions = {
    ...(balancer !== undefined && { balancer }),
    ...(group !== undefined && { group }),
  };
  if (typeof conditions === 'string') throw new Refusal({ code: 'bad-field', message: conditions });
  for (const key of ['balancer', 'group'] as const)
    if (given[key] !== undefined && conditions[key] !== undefined)
      throw new Refusal({ code: 'bad-field', message: `${key} is given twice, by itself and in where` });
  return queryOf({ ...conditions, ...given });
}
