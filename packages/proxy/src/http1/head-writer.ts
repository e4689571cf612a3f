/** Heads that the proxy sends: built from the parsed parts, so that nothing unparsed is forwarded. */
import { PRIVATE_FIELD, privateFields } from './cache-control.ts';
import type { RequestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';

/** The parts of a request head that do not come from the client. */
export interface ForwardedHead {
  readonly target: string;
  /** Result of `requestFields`. */
  readonly fields: string;
  /** `''` for none. */
  readonly cookie: string;
  readonly requestId: string;
  /** A `traceparent` that the proxy has made; `''` for none. */
  readonly traceparent: string;
}

/** `Host`, the client's fields, the lines that report the client and its proxies to the node, and the name of the request id field. */
export function requestFields(authority: string, forwarded: string, identity: string): string {
  return `Host: ${authority}\r\n${forwarded}${identity}X-Request-Id: `;
}

/** RFC 9110 §7.6.3: a proxy adds itself to `Via`. With `viaName` `''` the field of the request is unchanged; `''` for none. */
export function viaField(head: RequestHead, viaName: string): string {
  if (viaName === '') return head.via === '' ? '' : `Via: ${head.via}\r\n`;
  const own = `${head.isHttp10 ? '1.0' : '1.1'} ${viaName}`;
  return `Via: ${head.via === '' ? own : `${head.via}, ${own}`}\r\n`;
}

/** The head of a request for its node. */
export function requestHeadText(head: RequestHead, forward: ForwardedHead): string {
  let text = `${head.method} ${forward.target} HTTP/1.1\r\n${forward.fields}${forward.requestId}\r\n`;
  if (forward.traceparent !== '') text += `Traceparent: ${forward.traceparent}\r\n`;
  if (forward.cookie !== '') text += `Cookie: ${forward.cookie}\r\n`;
  if (head.maxForwards > 0) text += `Max-Forwards: ${head.maxForwards - 1}\r\n`;
  if (head.bodyLength < 0) text += 'Transfer-Encoding: chunked\r\n';
  else if (head.bodyLength > 0 || announcesEmptyBody(head.method)) text += `Content-Length: ${head.bodyLength}\r\n`;
  if (head.expectsContinue) text += 'Expect: 100-continue\r\n';
  if (head.wantsUpgrade) text += 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  return `${text}\r\n`;
}

/** RFC 9110 §8.6: methods that usually have a body announce an empty one. */
function announcesEmptyBody(method: string): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH';
}

/** The parts of a response head that do not come from the node. */
export interface ForwardedResponse {
  /** Value of a `Set-Cookie` of the proxy; `''` for none. */
  readonly setCookie: string;
  /** Value of a second one, which removes an earlier cookie; `''` for none. */
  readonly removeCookie: string;
  /** The body is sent in chunks. */
  readonly isChunked: boolean;
  readonly keepsAlive: boolean;
  /** The client uses HTTP/1.0, in which a kept connection has to be announced. */
  readonly isHttp10: boolean;
  /** A `Date` line for a response without one; `''` for none. */
  readonly date: string;
}

const OK_LINE = 'HTTP/1.1 200 OK\r\n';

/** RFC 9112 §4. */
function statusLine({ status, reason }: ResponseHead): string {
  return `HTTP/1.1 ${status} ${reason}\r\n`;
}

/** The head of a final response for the client. */
export function responseHeadText(head: ResponseHead, forward: ForwardedResponse): string {
  const cookies = cookieFields(forward);
  // An answer that a shared cache may keep would give one client's cookie to others.
  if (cookies !== '' && head.isShared) return privateText(head, forward, cookies);
  const own = cookies !== '' && !head.hasCacheControl ? cookies + PRIVATE_FIELD : cookies;
  // The start of a repeated head is the same flat string again: strings of few parts are faster to write.
  if (head.startText === '') head.startText = responseStart(head);
  else if (!head.isStartFlat) {
    head.startText = flat(head.startText);
    head.isStartFlat = true;
  }
  return endOfHead(head.startText + forward.date + own, forward);
}

/** The same head with `Cache-Control: private`. It is not kept for the next response. */
function privateText(head: ResponseHead, forward: ForwardedResponse, cookies: string): string {
  const start = responseStart(head, privateFields(head.forwarded));
  return endOfHead(start + forward.date + cookies, forward);
}

function endOfHead(start: string, forward: ForwardedResponse): string {
  let text = start;
  if (forward.isChunked) text += 'Transfer-Encoding: chunked\r\n';
  return text + connectionField(forward.keepsAlive, forward.isHttp10);
}

/** The `Set-Cookie` lines of the proxy. */
function cookieFields({ setCookie, removeCookie }: Pick<ForwardedResponse, 'setCookie' | 'removeCookie'>): string {
  if (setCookie === '') return '';
  return `Set-Cookie: ${setCookie}\r\n${removeCookie === '' ? '' : `Set-Cookie: ${removeCookie}\r\n`}`;
}

/** Status line, fields and length. */
function responseStart(head: ResponseHead, fields: string = head.forwarded): string {
  const line = head.status === 200 && head.reason === 'OK' ? OK_LINE : statusLine(head);
  return head.bodyLength < 0 ? line + fields : `${line}${fields}Content-Length: ${head.bodyLength}\r\n`;
}

/** `text` as a flat string. */
export function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** The head of an interim response, RFC 9110 §15.2. */
export function interimHeadText(head: ResponseHead): string {
  return `${statusLine(head)}${head.forwarded}\r\n`;
}

/** The head of a response that switches protocols, RFC 9110 §7.8. */
export function switchHeadText(
  head: ResponseHead,
  cookies: Pick<ForwardedResponse, 'setCookie' | 'removeCookie'>,
): string {
  return `HTTP/1.1 101 Switching Protocols\r\n${head.forwarded}${cookieFields(cookies)}Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n\r\n`;
}

/** The last lines of a head, RFC 9112 §9.3: without the field a connection is kept in 1.1 and closed in 1.0. */
export function connectionField(keepsAlive: boolean, isHttp10: boolean): string {
  if (!keepsAlive) return 'Connection: close\r\n\r\n';
  return isHttp10 ? 'Connection: keep-alive\r\n\r\n' : '\r\n';
}
