/** Answers that the proxy gives itself. */
import { dateField } from '../http1/date-field.ts';
import { connectionField } from '../http1/head-writer.ts';

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  508: 'Loop Detected',
};

const SENTENCES: Readonly<Record<number, string>> = {
  400: 'the request was not understood',
  404: 'nothing is served at this address',
  408: 'the request did not arrive in time',
  502: 'the server that should answer broke off',
  503: 'no server available',
  504: 'the server that should answer took too long',
};

/** What the answer to one request is made of. */
export interface ErrorAnswer {
  readonly status: number;
  readonly requestId: string;
  /** Request fields as forwarded lines; `Accept` and `User-Agent` are looked for in it. */
  readonly fields: string;
  readonly isHead: boolean;
  readonly isHttp10: boolean;
  readonly keepsAlive: boolean;
  readonly retryAfterSeconds: number;
  /** Added to the sentence for people who run the cluster on this machine; `''` for everybody else. */
  readonly hint: string;
  /** The operator's own page for browsers, latin1 text standing for octets; `''` for ours. */
  readonly page: string;
}

/** The whole answer: status line, fields and body, in the form the client asked for. */
export function errorAnswer(answer: ErrorAnswer): string {
  const { status } = answer;
  const reason = REASONS[status] ?? 'Error';
  const sentence = SENTENCES[status] ?? reason.toLowerCase();
  const form = wantedForm(answer.fields);
  const body =
    form === 'json'
      ? jsonBody(answer, sentence)
      : form === 'html'
        ? answer.page || htmlBody(answer, reason, sentence)
        : textBody(answer, sentence);
  const type =
    form === 'json'
      ? 'application/problem+json'
      : form === 'html'
        ? 'text/html; charset=utf-8'
        : 'text/plain; charset=utf-8';
  const retryAfter = answer.retryAfterSeconds > 0 ? `Retry-After: ${answer.retryAfterSeconds}\r\n` : '';
  const allow = status === 405 ? 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n' : '';
  return (
    `HTTP/1.1 ${status} ${reason}\r\n${dateField()}Content-Type: ${type}\r\nContent-Length: ${body.length}\r\nCache-Control: no-store\r\n` +
    `${allow}${retryAfter}${connectionField(answer.keepsAlive, answer.isHttp10)}${answer.isHead ? '' : body}`
  );
}

function wantedForm(fields: string): 'json' | 'html' | 'text' {
  const accept = /^accept:[ \t]*(.*)$/im.exec(fields)?.[1]?.toLowerCase() ?? '';
  if (accept.includes('text/html')) return 'html';
  if (accept.includes('json')) return 'json';
  return 'text';
}

function textBody({ status, requestId, hint }: ErrorAnswer, sentence: string): string {
  return `${status} ${sentence}\n${hint === '' ? '' : `${hint}\n`}${requestId === '' ? '' : `request ${requestId}\n`}`;
}

function jsonBody({ status, requestId, hint }: ErrorAnswer, sentence: string): string {
  return `${JSON.stringify({ type: 'about:blank', title: sentence, status, ...(hint === '' ? {} : { detail: hint }), ...(requestId === '' ? {} : { requestId }) })}\n`;
}

/** Everything in it is ours or a token: nothing needs escaping but the hint, which has no markup. */
function htmlBody({ status, requestId, hint }: ErrorAnswer, reason: string, sentence: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${status} ${reason}</title><h1>${status} ${reason}</h1><p>${sentence}</p>${
    hint === '' ? '' : `<pre>${hint.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</pre>`
  }${requestId === '' ? '' : `<p><small>request ${requestId}</small></p>`}</html>\n`;
}
