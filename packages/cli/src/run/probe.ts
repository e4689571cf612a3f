/** Asks a program whether it answers. */
import { request } from 'node:http';
import { networkInterfaces } from 'node:os';

/** What came of one question. */
export type ProbeAnswer =
  /** An HTTP answer, or at least a reaction: `status` 0 when it was no HTTP. */
  | { readonly type: 'answered'; readonly address: string; readonly status: number }
  /** Nobody listens there. */
  | { readonly type: 'refused' }
  /** Somebody accepts, but says nothing in time. */
  | { readonly type: 'silent'; readonly address: string };

export interface ProbeQuestion {
  readonly port: number;
  /** Tried in order until one accepts. */
  readonly addresses: readonly string[];
  readonly method: 'GET' | 'OPTIONS';
  readonly path: string;
  readonly timeoutMs: number;
}

const MAX_ADDRESSES = 10;

/**
 * Where a program on this machine may be listening: `given` alone, when somebody said so, else loopback first, then
 * the machine's own addresses.
 */
export function localAddresses(given: string | undefined): readonly string[] {
  if (given !== undefined) return [given];
  const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const outside = own
    .filter((entry) => !entry.internal && !entry.address.startsWith('fe80'))
    .map((entry) => entry.address);
  return ['127.0.0.1', '::1', ...outside].slice(0, MAX_ADDRESSES);
}

/** Asks at each address until somebody accepts. Never rejects; takes at most `timeoutMs` per address. */
export async function probe(question: ProbeQuestion): Promise<ProbeAnswer> {
  for (const address of question.addresses) {
    const answer = await probeAddress(question, address);
    if (answer.type !== 'refused') return answer;
  }
  return { type: 'refused' };
}

function probeAddress(question: ProbeQuestion, address: string): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    let isConnected = false;
    const outgoing = request({
      host: address,
      port: question.port,
      method: question.method,
      path: question.path,
      agent: false,
      headers: { host: `localhost:${question.port}`, connection: 'close', 'user-agent': 'rollcall-probe' },
    });
    const timer = setTimeout(
      () => finish(isConnected ? { type: 'silent', address } : { type: 'refused' }),
      question.timeoutMs,
    );
    const finish = (answer: ProbeAnswer) => {
      clearTimeout(timer);
      outgoing.destroy();
      resolve(answer);
    };
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
    // Accepted and then closed or garbled: the program has reacted, although not in HTTP.
    outgoing.on('error', () => finish(isConnected ? { type: 'answered', address, status: 0 } : { type: 'refused' }));
    outgoing.end();
  });
}
