/** Answers of the proxy itself that are not errors: its health, the pages of the router, and `OPTIONS` that may not be forwarded. */
import { dateField } from '../http1/date-field.ts';
import { connectionField } from '../http1/head-writer.ts';
import type { RequestHead } from '../http1/request-head.ts';
import { OWN_PREFIX, type OwnAnswer, type Router } from './router.ts';

const DOT = 0x2e;

/** Services of the engine that the answers use. */
export interface OwnAnswerServices {
  readonly router: Pick<Router, 'own'>;
  /** Path answered by the proxy itself; `''` for none. */
  readonly healthPath: string;
  /** The health is then 503. */
  readonly isClosing: boolean;
}

/** RFC 9110 §7.6.2: the answer to an OPTIONS with `Max-Forwards: 0`. */
export const OPTIONS_ANSWER: OwnAnswer = {
  status: '200 OK',
  fields: 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\nContent-Length: 0\r\n',
  body: '',
};

/** The answer to a GET or HEAD of the health path or of a page of the router, `Content-Length` included; `undefined` for other requests. */
export function ownAnswer(head: RequestHead, services: OwnAnswerServices, nowMs: number): OwnAnswer | undefined {
  const { target } = head;
  const isHealth = services.healthPath !== '' && target === services.healthPath;
  if (!(isHealth || isOwnTarget(target)) || !(head.method === 'GET' || head.method === 'HEAD')) return undefined;
  if (isHealth) return healthAnswer(!services.isClosing);
  const answer = services.router.own?.(head, nowMs);
  return answer && withLength(answer.status, answer.fields, answer.body);
}

/** The whole answer: status line, fields and body. */
export function ownAnswerText(
  { status, fields, body }: OwnAnswer,
  head: RequestHead,
  requestId: string,
  keepsAlive: boolean,
): string {
  const end = connectionField(keepsAlive, head.isHttp10);
  return `HTTP/1.1 ${status}\r\n${fields}${dateField()}X-Request-Id: ${requestId}\r\n${end}${head.method === 'HEAD' ? '' : body}`;
}

function healthAnswer(isReady: boolean): OwnAnswer {
  const fields = 'Content-Type: text/plain\r\n';
  return isReady ? withLength('200 OK', fields, 'ok\n') : withLength('503 Service Unavailable', fields, 'no\n');
}

/** The body becomes latin1 text, one character per octet. */
function withLength(status: string, fields: string, body: string): OwnAnswer {
  const octets = Buffer.from(body).toString('latin1');
  return {
    status,
    fields: `${fields}Content-Length: ${octets.length}\r\nCache-Control: no-store\r\n`,
    body: octets,
  };
}

/** Nearly all other targets differ in the second character. */
function isOwnTarget(target: string): boolean {
  return target.charCodeAt(1) === DOT && target.startsWith(OWN_PREFIX);
}
