/** Answers of a stateful program to all kinds of visits. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { LEDGER_FIELD, type NodeLedger } from './node-ledger.ts';

/** Body of an answer. */
export interface VisitAnswer {
  readonly id: string;
  readonly node: string;
  readonly instance: string;
  readonly count: number;
  /** The request's body, as received. */
  readonly echo: string;
  /** Link with the session id, for the program that has it in URLs only. */
  readonly link?: string;
}

const MAX_BODY_BYTES = 65_536;

/** The client's id of a request; `''` when it has none, as a probe. */
export function ledgerId(request: IncomingMessage): string {
  const value = request.headers[LEDGER_FIELD];
  return typeof value === 'string' ? value : '';
}

/**
 * Answers: at once, after `?hold=MS`, or with `?stream=MS` the head at once and the body later.
 * Each step is in the ledger before it is on the wire.
 */
export async function answerVisit(
  request: IncomingMessage,
  response: ServerResponse,
  ledger: NodeLedger,
  answer: Omit<VisitAnswer, 'id' | 'instance' | 'echo'>,
): Promise<void> {
  const id = ledgerId(request);
  ledger.write(id, 'start');
  const echo = await bodyText(request);
  const query = new URL(request.url ?? '/', 'http://node').searchParams;
  const body = JSON.stringify({ ...answer, id, instance: ledger.instance, echo } satisfies VisitAnswer);
  response.setHeader('content-type', 'application/json');
  const streamMs = Number(query.get('stream') ?? 0);
  if (streamMs > 0) {
    ledger.write(id, 'head');
    response.write(' ');
    await delay(streamMs);
    response.end(body);
  } else {
    await delay(Number(query.get('hold') ?? 0));
    ledger.write(id, 'head');
    response.setHeader('content-length', Buffer.byteLength(body));
    response.end(body);
  }
  ledger.write(id, 'end');
}

async function bodyText(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > MAX_BODY_BYTES) throw new RangeError('the body is too large');
  }
  return body;
}
