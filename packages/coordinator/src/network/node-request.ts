/** Sends one request to the checked address of a node and classifies the outcome. Only the head of the answer is read. */
import { type IncomingHttpHeaders, type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { isIP } from 'node:net';
import type { NodeUrl, ReadyAnswer } from '@rollcall/protocol';
import { pingAjpNode } from './ajp-ping.ts';

export interface NodeRequest {
  readonly url: NodeUrl;
  /** The checked address to connect to. */
  readonly host: string;
  readonly port: number;
  readonly method: 'GET' | 'HEAD' | 'OPTIONS';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Time limit of the answer, including the connect, milliseconds. */
  readonly timeoutMs: number;
}

/** `headers`: only of an answer in HTTP. */
export type NodeAnswer = ReadyAnswer & { readonly headers?: IncomingHttpHeaders };

/** Generous, so that a program with large response heads counts as answering. */
const MAX_HEAD_BYTES = 65_536;

/** A node that speaks AJP is sent CPING instead. Never rejects. An abort ends it like the time limit. */
export function askNode(question: NodeRequest, signal: AbortSignal): Promise<NodeAnswer> {
  if (question.url.startsWith('ajp:')) return pingNode(question, signal);
  return new Promise((resolve) => {
    const { url, host, port, method, path, headers, timeoutMs } = question;
    const { protocol, host: authority, hostname } = new URL(url);
    let isConnected = false;
    const request = (protocol === 'https:' ? requestTls : requestPlain)({
      host,
      port,
      method,
      path,
      agent: false,
      headers: { host: authority, ...headers, connection: 'close' },
      maxHeaderSize: MAX_HEAD_BYTES,
      // The workers, which send requests, verify the certificate.
      rejectUnauthorized: false,
      ...(isIP(hostname.replace(/^\[|\]$/g, '')) === 0 && { servername: hostname }),
    });
    const end = (answer: NodeAnswer): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      request.destroy();
      resolve(answer);
    };
    const giveUp = (): void => end({ type: isConnected ? 'silent' : 'unconnected' });
    const answered = ({ statusCode = 0, headers: fields }: IncomingMessage): void =>
      end({ type: 'answered', status: statusCode, headers: fields });
    const timer = setTimeout(giveUp, timeoutMs);
    signal.addEventListener('abort', giveUp, { once: true });
    request.once('socket', (socket) =>
      socket.once('connect', () => {
        isConnected = true;
      }),
    );
    request.once('response', answered);
    request.once('upgrade', (response, socket) => {
      socket.destroy();
      answered(response);
    });
    request.on('error', ({ code }: NodeJS.ErrnoException) => {
      // The program accepted, then closed the connection or sent something that is not HTTP.
      if (isConnected) end({ type: 'answered', status: 0 });
      else end({ type: code === 'ECONNREFUSED' || code === 'ECONNRESET' ? 'refused' : 'unconnected' });
    });
    request.end();
    if (signal.aborted) giveUp();
  });
}

async function pingNode(question: NodeRequest, signal: AbortSignal): Promise<NodeAnswer> {
  const answer = await pingAjpNode(question, signal);
  return answer.type === 'answered' && answer.status > 0 ? { ...answer, headers: {} } : answer;
}
