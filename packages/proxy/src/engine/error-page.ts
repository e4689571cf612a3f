/** Error answers of the proxy itself. Only the detail, for operators on this machine, names nodes and commands. */
import { dateField } from '../http1/date-field.ts';
import { connectionField } from '../http1/head-writer.ts';
import type { RequestHead } from '../http1/request-head.ts';

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

/** The parts of an error answer. */
export interface ErrorAnswer {
  readonly status: number;
  readonly requestId: string;
  /** Request fields as forwarded lines; `Accept` is read from them. */
  readonly fields: string;
  readonly isHead: boolean;
  readonly isHttp10: boolean;
  readonly keepsAlive: boolean;
  readonly retryAfterSeconds: number;
  /** Cause and remedy for an operator on this machine; `''` for all other clients. */
  readonly detail: string;
  /** The operator's own page for browsers, latin1 text standing for octets; `''` for the default page. */
  readonly page: string;
}

/** The error answer to a request that no node has answered. `page`: the operator's own, `''` for none. `detail`: see `ErrorAnswer`. */
export function failureText(
  head: RequestHead,
  status: number,
  requestId: string,
  page: string,
  detail: string,
): string {
  return errorAnswer({
    status,
    requestId,
    fields: head.forwarded,
    isHead: head.method === 'HEAD',
    isHttp10: head.isHttp10,
    keepsAlive: head.keepsAlive,
    retryAfterSeconds: status === 503 ? 2 : 0,
    detail: detail.replaceAll(/[^ -~]/g, '?'),
    page,
  });
}

/** The last answer of a connection: to octets that are not an acceptable request. */
export function refusalText(status: number, requestId: string, isHead: boolean): string {
  return errorAnswer({
    status,
    requestId,
    fields: '',
    isHead,
    isHttp10: false,
    keepsAlive: false,
    retryAfterSeconds: 0,
    detail: '',
    page: '',
  });
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
  const requestIdField = answer.requestId === '' ? '' : `X-Request-Id: ${answer.requestId}\r\n`;
  const allow = status === 405 ? 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n' : '';
  return (
    `HTTP/1.1 ${status} ${reason}\r\n${dateField()}Content-Type: ${type}\r\nContent-Length: ${body.length}\r\nCache-Control: no-store\r\n` +
    `${allow}${retryAfter}${requestIdField}${connectionField(answer.keepsAlive, answer.isHttp10)}${answer.isHead ? '' : body}`
  );
}

function wantedForm(fields: string): 'json' | 'html' | 'text' {
  const accept = /^accept:[ \t]*(.*)$/im.exec(fields)?.[1]?.toLowerCase() ?? '';
  if (accept.includes('text/html')) return 'html';
  if (accept.includes('json')) return 'json';
  return 'text';
}

function textBody({ status, requestId, detail }: ErrorAnswer, sentence: string): string {
  return `${status} ${sentence}\n${detail === '' ? '' : `${detail}\n`}${requestId === '' ? '' : `request ${requestId}\n`}`;
}

function jsonBody({ status, requestId, detail }: ErrorAnswer, sentence: string): string {
  return `${JSON.stringify({ type: 'about:blank', title: sentence, status, ...(detail === '' ? {} : { detail }), ...(requestId === '' ? {} : { requestId }) })}\n`;
}

/** Light and dark, readable on a phone, without external resources. */
const STYLE =
  ':root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:15vh auto;padding:0 1rem;color:#222;background:#fff}' +
  'h1{font-size:1.5rem}code,small{color:#666;overflow-wrap:anywhere}' +
  '@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}code,small{color:#999}}';

/** All of it except the detail is a constant or a token, which needs no escaping. */
function htmlBody({ status, requestId, detail }: ErrorAnswer, reason: string, sentence: string): string {
  const shown = detail === '' ? '' : `<p><code>${escaped(detail)}</code></p>`;
  const id = requestId === '' ? '' : `<p><small>request ${requestId}</small></p>`;
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">` +
    `<title>${status} ${reason}</title><style>${STYLE}</style><h1>${status} ${reason}</h1><p>${sentence}</p>${shown}${id}</html>\n`
  );
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
