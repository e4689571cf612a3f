/** Heads as we send them: written anew from what was understood, so that nothing is passed on that was not. */
import type { RequestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';

/** What a request's head is made of besides what the client sent. */
export interface ForwardedHead {
  readonly target: string;
  /** What `requestFields` makes. */
  readonly fields: string;
  /** `''` for none. */
  readonly cookie: string;
  readonly requestId: string;
}

/**
 * `Host`, the client's fields, the lines that tell the node who asks and by way of whom, and the name of the field whose
 * value is the request id.
 */
export function requestFields(authority: string, forwarded: string, identity: string): string {
  return `Host: ${authority}\r\n${forwarded}${identity}X-Request-Id: `;
}

/** RFC 9110 §7.6.3: a proxy adds itself to `Via`. */
export function viaField(head: RequestHead, viaName: string): string {
  const own = `${head.isHttp10 ? '1.0' : '1.1'} ${viaName}`;
  return `Via: ${head.via === '' ? own : `${head.via}, ${own}`}\r\n`;
}

/** The head of a request for its node. */
export function requestHeadText(head: RequestHead, forward: ForwardedHead): string {
  let text = `${head.method} ${forward.target} HTTP/1.1\r\n${forward.fields}${forward.requestId}\r\n`;
  if (forward.cookie !== '') text += `Cookie: ${forward.cookie}\r\n`;
  if (head.maxForwards > 0) text += `Max-Forwards: ${head.maxForwards - 1}\r\n`;
  if (head.bodyLength < 0) text += 'Transfer-Encoding: chunked\r\n';
  else if (head.bodyLength > 0 || tellsEmptyBody(head.method)) text += `Content-Length: ${head.bodyLength}\r\n`;
  if (head.expectsContinue) text += 'Expect: 100-continue\r\n';
  if (head.wantsUpgrade) text += 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  return `${text}\r\n`;
}

/** RFC 9110 §8.6: methods that usually carry a body say so when it is empty. */
function tellsEmptyBody(method: string): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH';
}

/** How a response goes to the client. */
export interface ForwardedResponse {
  /** Value of a `Set-Cookie` of ours; `''` for none. */
  readonly setCookie: string;
  /** The body is sent in chunks. */
  readonly isChunked: boolean;
  readonly keepsAlive: boolean;
  /** The client speaks HTTP/1.0, where keeping a connection has to be said. */
  readonly isHttp10: boolean;
  /** A `Date` line of ours for a response that brought none; `''` for none. */
  readonly date: string;
}

const OK_LINE = 'HTTP/1.1 200 OK\r\n';

/** RFC 9112 §4. */
function statusLine({ status, reason }: ResponseHead): string {
  return `HTTP/1.1 ${status} ${reason}\r\n`;
}

/** The head of a final response for the client. */
export function responseHeadText(head: ResponseHead, forward: ForwardedResponse): string {
  // What a repeated head begins with is the same text again, in one piece: what is put together of few is quick to write.
  if (head.startText === '') head.startText = responseStart(head);
  else if (!head.isStartFlat) {
    head.startText = flat(head.startText);
    head.isStartFlat = true;
  }
  let text = head.startText + forward.date;
  if (forward.setCookie !== '') text += `Set-Cookie: ${forward.setCookie}\r\n`;
  if (forward.isChunked) text += 'Transfer-Encoding: chunked\r\n';
  return text + connectionField(forward.keepsAlive, forward.isHttp10);
}

/** Status line, fields and length. */
function responseStart(head: ResponseHead): string {
  const line = head.status === 200 && head.reason === 'OK' ? OK_LINE : statusLine(head);
  return head.bodyLength < 0 ? line + head.forwarded : `${line}${head.forwarded}Content-Length: ${head.bodyLength}\r\n`;
}

/** `text` in one piece. */
export function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** The head of an interim response, RFC 9110 §15.2. */
export function interimHeadText(head: ResponseHead): string {
  return `${statusLine(head)}${head.forwarded}\r\n`;
}

/** The head of a response that switches protocols, RFC 9110 §7.8. */
export function switchHeadText(head: ResponseHead, setCookie: string): string {
  const cookie = setCookie === '' ? '' : `Set-Cookie: ${setCookie}\r\n`;
  return `HTTP/1.1 101 Switching Protocols\r\n${head.forwarded}${cookie}Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n\r\n`;
}

/** The last lines of a head, RFC 9112 §9.3: silence means keeping the connection in 1.1 and closing it in 1.0. */
export function connectionField(keepsAlive: boolean, isHttp10: boolean): string {
  if (!keepsAlive) return 'Connection: close\r\n\r\n';
  return isHttp10 ? 'Connection: keep-alive\r\n\r\n' : '\r\n';
}
