/** `GET /v1/events`: the history of the cluster, as a list or as a stream that a viewer can resume. */
import type { ServerResponse } from 'node:http';
import type { EventResource } from '@rollcall/protocol';
import { peerOf } from '../auth/gate.ts';
import type { EventLog } from '../events/event-log.ts';
import type { UnreadAnswers } from '../network/unread-answers.ts';
import { type AdminApp, identityOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { EventSeats } from './event-seats.ts';
import { Refusal } from './refusal.ts';
import { EventSchema, EventsQuerySchema, EventsSchema, ProblemSchema } from './schemas.ts';

/** Interval of the comments that keep proxies from closing an idle stream, milliseconds. */
const COMMENT_MS = 15_000;
/** The connection of a viewer that does not read the end of the stream is closed after this time, milliseconds. */
const CLOSE_WITHIN_MS = 1_000;

export function addEvents(app: AdminApp, { history, open, unread, isReady, ending }: Dependencies): void {
  const seats = new EventSeats();
  const streams = new Set<ServerResponse>();
  ending.addEventListener('abort', () => {
    for (const response of streams) response.end();
  });
  app.get(
    '/v1/events',
    {
      config: { role: 'viewer', events: { message: EventSchema }, errors: ['shutting-down'] },
      schema: {
        operationId: 'listEvents',
        summary: 'The last 1,000 events: as a list, or with Accept: text/event-stream as an open-ended stream',
        querystring: EventsQuerySchema,
        response: { 200: EventsSchema, '4xx': ProblemSchema },
      },
    },
    async (request, reply) => {
      const after = Number(request.headers['last-event-id'] ?? request.query.since ?? 0);
      const afterId = Number.isSafeInteger(after) ? after : 0;
      if (!request.headers.accept?.includes('text/event-stream')) return { events: history.log.since(afterId) };
      if (!isReady()) throw new Refusal({ code: 'shutting-down', message: 'the coordinator is starting or closing' });
      const seat = seats.take(identityOf(request));
      if (typeof seat !== 'function') throw new Refusal(seat);
      reply.hijack();
      streams.add(reply.raw);
      const identity = identityOf(request);
      const end = stream(reply.raw, unread, history.log, afterId, () => {
        streams.delete(reply.raw);
        seat();
        release();
      });
      const release = open.add({
        identity,
        address: peerOf(request.raw),
        end: (fault) => {
          history.refused('GET /v1/events', fault, { by: identity.name });
          end(fault.message);
        },
      });
      return reply;
    },
  );
}

/**
 * Streams until the viewer closes the connection or the returned function is called with a reason. Calls `onEnd` once, after the
 * end.
 */
function stream(
  response: ServerResponse,
  unread: UnreadAnswers,
  log: EventLog,
  afterId: number,
  onEnd: () => void,
): (reason: string) => void {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
  });
  response.write(': events of the cluster\n\n');
  for (const event of log.since(afterId)) response.write(frame(event));
  // A viewer whose stream is closed reconnects and resumes.
  const send = (text: string): void => unread.write(response, text);
  const stop = log.listen((event) => send(frame(event)));
  const comments = setInterval(() => send(': keep-alive\n\n'), COMMENT_MS);
  let closing: NodeJS.Timeout | undefined;
  const end = (): void => {
    clearInterval(comments);
    stop();
  };
  response.once('close', () => {
    clearTimeout(closing);
    end();
    onEnd();
  });
  return (reason) => {
    end();
    response.end(`: ${reason}\n\n`);
    closing ??= setTimeout(() => response.destroy(), CLOSE_WITHIN_MS);
  };
}

function frame(event: EventResource): string {
  return `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`;
}
