/** `GET /v1/events`: the history of the cluster, as a list or as a stream that a viewer can resume. */
import type { ServerResponse } from 'node:http';
import type { EventResource } from '@rollcall/protocol';
import type { EventLog } from '../events/event-log.ts';
import type { UnreadAnswers } from '../network/unread-answers.ts';
import type { AdminApp } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { eventFilter } from './event-filter.ts';
import { OpenStreams, STREAM_FIELDS, type Stream } from './open-streams.ts';
import { limitOf } from './paging.ts';
import { EventSchema, EventsQuerySchema, EventsSchema, ProblemSchema } from './schemas.ts';

/** Interval of the comments that keep proxies from closing an idle stream, milliseconds. */
const COMMENT_MS = 15_000;

export function addEvents(app: AdminApp, dependencies: Dependencies): void {
  const { cluster, history, unread } = dependencies;
  const streams = new OpenStreams('GET /v1/events', dependencies);
  app.get(
    '/v1/events',
    {
      config: { role: 'viewer', events: { message: EventSchema }, errors: ['shutting-down'] },
      schema: {
        operationId: 'listEvents',
        summary:
          'The last 1,000 events, and 200 earlier ones of operators: a list, or with Accept: text/event-stream a stream',
        querystring: EventsQuerySchema,
        response: { 200: EventsSchema, '4xx': ProblemSchema },
      },
    },
    async (request, reply) => {
      const after = Number(request.headers['last-event-id'] ?? request.query.since ?? 0);
      const afterId = Number.isSafeInteger(after) ? after : 0;
      const isWanted = eventFilter(cluster, request.query);
      const limit = limitOf(request.query);
      if (!request.headers.accept?.includes('text/event-stream'))
        return { events: history.log.since(afterId).filter(isWanted).slice(-limit) };
      const events = { log: history.log, afterId, isWanted };
      return streams.begin(request, reply, (response) => stream(response, unread, events));
    },
  );
}

interface Wanted {
  readonly log: EventLog;
  /** Only events after this number. */
  readonly afterId: number;
  readonly isWanted: (event: EventResource) => boolean;
}

function stream(response: ServerResponse, unread: UnreadAnswers, { log, afterId, isWanted }: Wanted): Stream {
  response.writeHead(200, STREAM_FIELDS);
  response.write(': events of the cluster\n\n');
  for (const event of log.since(afterId)) if (isWanted(event)) response.write(frame(event));
  // A viewer whose stream is closed reconnects and resumes.
  const send = (text: string): void => unread.write(response, text);
  const stop = log.listen((event) => isWanted(event) && send(frame(event)));
  const comments = setInterval(() => send(': keep-alive\n\n'), COMMENT_MS);
  const closed = (): void => {
    clearInterval(comments);
    stop();
  };
  return {
    end: (reason) => {
      closed();
      response.end(`: ${reason}\n\n`);
    },
    closed,
  };
}

function frame(event: EventResource): string {
  return `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`;
}
