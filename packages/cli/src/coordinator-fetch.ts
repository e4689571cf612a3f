/** `fetch` for coordinators. The `fetch` of Node.js has no options for CA and client certificate, so `https` uses node:https. */
import https from 'node:https';
import { Readable } from 'node:stream';
import type { ClientTls } from '@rollcall/agent';

export interface FetchInit {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly signal?: AbortSignal;
  /** Redirects are followed over `http` only, unless it is `manual`. */
  readonly redirect?: 'manual';
}

/** Rejects like `fetch`: with the reason of `signal`, or an error whose cause is the connection error. */
export function coordinatorFetch(url: string, init: FetchInit, tls: ClientTls): Promise<Response> {
  return url.startsWith('https:') ? overTls(url, init, tls) : fetch(url, init);
}

function overTls(
  url: string,
  { method = 'GET', headers = {}, body, signal }: FetchInit,
  tls: ClientTls,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    // A socket of its own: the agent that Node.js shares would keep the process alive.
    const options = { ...tls.options, method, headers: { ...headers, ...length }, agent: false as const };
    const request = https.request(url, { ...options, ...(signal && { signal }) });
    request.on('error', (error) => reject(signal?.aborted ? signal.reason : error));
    request.on('response', (answer) => {
      const { statusCode = 0, rawHeaders } = answer;
      const fields = new Headers();
      for (let i = 0; i + 1 < rawHeaders.length; i += 2) fields.append(rawHeaders[i]!, rawHeaders[i + 1]!);
      const isEmpty = statusCode === 204 || statusCode === 304;
      if (isEmpty) answer.resume();
      resolve(
        new Response(isEmpty ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>), {
          status: statusCode,
          headers: fields,
        }),
      );
    });
    request.end(body);
  });
}
