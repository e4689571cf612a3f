/** The open-ended answers of one endpoint: admits them, bounds their number, and ends them with the coordinator or with their token. */
import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { peerOf } from '../auth/gate.ts';
import { identityOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { EventSeats } from './event-seats.ts';
import { Refusal } from './refusal.ts';

/** The connection of a viewer that does not read the end of the stream is closed after this time, milliseconds. */
const CLOSE_WITHIN_MS = 1_000;

/** What an endpoint does with a stream. */
export interface Stream {
  /** Writes the end. Called at most once; the response may be closed already. `reason`: one sentence. */
  end(reason: string): void;
  /** The response is closed. Called once. */
  closed(): void;
}

export class OpenStreams {
  readonly #what: string;
  readonly #dependencies: Pick<Dependencies, 'history' | 'open' | 'isReady'>;
  readonly #seats = new EventSeats();
  readonly #ends = new Set<(reason: string) => void>();

  /** `what` names the endpoint in the audit, e.g. `GET /v1/events`. */
  constructor(what: string, dependencies: Pick<Dependencies, 'history' | 'open' | 'isReady' | 'ending'>) {
    this.#what = what;
    this.#dependencies = dependencies;
    dependencies.ending.addEventListener('abort', () => {
      for (const end of this.#ends) end('the coordinator is closing');
    });
  }

  /** Begins a stream. Throws a `Refusal` if the client has too many of them, or if the coordinator is closing. */
  begin(request: FastifyRequest, reply: FastifyReply, start: (response: ServerResponse) => Stream): FastifyReply {
    const { history, open, isReady } = this.#dependencies;
    if (!isReady()) throw new Refusal({ code: 'shutting-down', message: 'the coordinator is starting or closing' });
    const identity = identityOf(request);
    const seat = this.#seats.take(identity);
    if (typeof seat !== 'function') throw new Refusal(seat);
    let stream: Stream;
    try {
      stream = start(reply.raw);
    } catch (error) {
      seat();
      throw error;
    }
    reply.hijack();
    let closing: NodeJS.Timeout | undefined;
    const end = (reason: string): void => {
      if (closing !== undefined) return;
      closing = setTimeout(() => reply.raw.destroy(), CLOSE_WITHIN_MS);
      stream.end(reason);
    };
    this.#ends.add(end);
    const release = open.add({
      identity,
      address: peerOf(request.raw),
      end: (fault) => {
        history.refused(this.#what, fault, { by: identity.name });
        end(fault.message);
      },
    });
    reply.raw.once('close', () => {
      clearTimeout(closing);
      this.#ends.delete(end);
      seat();
      release();
      stream.closed();
    });
    return reply;
  }
}

/** Fields of a stream of server-sent events. */
export const STREAM_FIELDS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
} as const;
