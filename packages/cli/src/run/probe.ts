/** Sends one request to a program and classifies the outcome. */
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { AJP_CPING, isAjpPong, isReadyStatus } from '@rollcall/protocol';
import { VERSION } from '../version.ts';

/** Outcome of one probe. */
export type ProbeAnswer =
  /** An answer; `status` is 0 if it was not HTTP. */
  | { readonly type: 'answered'; readonly address: string; readonly status: number }
  /** Nothing listens at any of the addresses. */
  | { readonly type: 'refused' }
  /** The connect was completed, by the program or by the kernel on its behalf, but no answer came in time. */
  | { readonly type: 'silent'; readonly address: string }
  /** Neither connected nor refused in time: the queue is full, the host is unreachable, or no local socket is available. */
  | { readonly type: 'unconnected' };

export interface ProbeQuestion {
  readonly port: number;
  /** Tried in order until a connect succeeds. */
  readonly addresses: readonly string[];
  readonly method: 'GET' | 'OPTIONS';
  readonly path: string;
  /** Uses TLS without verifying the certificate. Default false. */
  readonly isTls?: boolean;
  /** Sends CPING of AJP/1.3 instead; CPONG counts as the status 200. Default false. */
  readonly isAjp?: boolean;
  /** Time limit of each address, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the probe at once, like its time limit. */
  readonly signal?: AbortSignal;
}

const MAX_ADDRESSES = 10;

/**
 * Possible addresses of a program on this machine: only `given` if set, else loopback first, then the addresses of the
 * machine.
 */
export function localAddresses(given: string | undefined): readonly string[] {
  if (given !== undefined) return [given];
  const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const outside = own
    .filter((entry) => !entry.internal && !entry.address.startsWith('fe80'))
    .map((entry) => entry.address);
  return ['127.0.0.1', '::1', ...outside].slice(0, MAX_ADDRESSES);
}

/** Ready means an HTTP status below 500. */
export function isReady(answer: ProbeAnswer): boolean {
  return answer.type === 'answered' && isReadyStatus(answer.status);
}

/**
 * Whether a failed connect proves that nothing listens at `address`. A timeout, an unreachable network and a lack of
 * local file descriptors or ports prove nothing.
 */
export function isRefusal(code: string | undefined, address: string): boolean {
  if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return true;
  // A machine without IPv6: nothing can listen there.
  return address === '::1' && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT' || code === 'ENETUNREACH');
}

/** Tries each address until one connects. Never rejects; takes at most `timeoutMs` per address. */
export async function probe(question: ProbeQuestion): Promise<ProbeAnswer> {
  let last: ProbeAnswer = { type: 'refused' };
  for (const address of question.addresses) {
    const answer = await (question.isAjp ? pingAddress(question, address) : probeAddress(question, address));
    if (answer.type === 'answered' || answer.type === 'silent') return answer;
    if (answer.type === 'unconnected') last = answer;
  }
  return last;
}

function probeAddress(question: ProbeQuestion, address: string): Promise<ProbeAnswer> {
  const { port, method, path, timeoutMs, signal, isTls = false } = question;
  return new Promise((resolve) => {
    let isConnected = false;
    const outgoing = (isTls ? tlsRequest : plainRequest)({
      rejectUnauthorized: false,
      host: address,
      port,
      method,
      path,
      agent: false,
      headers: { host: `localhost:${port}`, connection: 'close', 'user-agent': `rollcall-probe/${VERSION}` },
    });
    const finish = (answer: ProbeAnswer) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
      outgoing.destroy();
      resolve(answer);
    };
    const giveUp = () => finish(isConnected ? { type: 'silent', address } : { type: 'unconnected' });
    const timer = setTimeout(giveUp, timeoutMs);
    signal?.addEventListener('abort', giveUp);
    outgoing.on('socket', (socket) => {
      socket.once('connect', () => {
        isConnected = true;
      });
    });
    outgoing.on('response', (response) => finish({ type: 'answered', address, status: response.statusCode ?? 0 }));
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy();
      finish({ type: 'answered', address, status: 101 });
    });
    outgoing.on('error', ({ code }: NodeJS.ErrnoException) => {
      // The program accepted, then closed the connection or sent something that is not HTTP.
      if (isConnected) finish({ type: 'answered', address, status: 0 });
      else finish({ type: isRefusal(code, address) ? 'refused' : 'unconnected' });
    });
    outgoing.end();
    if (signal?.aborted) giveUp();
  });
}

function pingAddress({ port, timeoutMs, signal }: ProbeQuestion, address: string): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    let isConnected = false;
    let received: Buffer = Buffer.alloc(0);
    const socket = connect({ host: address, port });
    const finish = (answer: ProbeAnswer) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
      socket.destroy();
      resolve(answer);
    };
    const giveUp = () => finish(isConnected ? { type: 'silent', address } : { type: 'unconnected' });
    const timer = setTimeout(giveUp, timeoutMs);
    signal?.addEventListener('abort', giveUp, { once: true });
    socket.once('connect', () => {
      isConnected = true;
      socket.write(AJP_CPING);
    });
    socket.on('data', (octets) => {
      received = Buffer.concat([received, octets]);
      const isPong = isAjpPong(received);
      if (isPong !== undefined) finish({ type: 'answered', address, status: isPong ? 200 : 0 });
    });
    socket.once('end', () => finish({ type: 'answered', address, status: 0 }));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (isConnected) finish({ type: 'answered', address, status: 0 });
      else finish({ type: isRefusal(code, address) ? 'refused' : 'unconnected' });
    });
    if (signal?.aborted) giveUp();
  });
}
