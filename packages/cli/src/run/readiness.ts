/** Waits until a program is ready, and describes the problem if it does not become ready. */
import { isReady, type ProbeAnswer, probe } from './probe.ts';
import { commandOf, listeningPorts, processTree } from './process-table.ts';

export interface ReadinessOptions {
  readonly port: number;
  readonly addresses: readonly string[];
  readonly path: string;
  readonly isTls?: boolean;
  /** The program speaks AJP/1.3: it is sent CPING. */
  readonly isAjp?: boolean;
  readonly timeoutMs: number;
}

/** Address at which the program has answered, or the outcome of the last request. */
export type Readiness =
  | { readonly isReady: true; readonly address: string }
  | { readonly isReady: false; readonly last: ProbeAnswer };

const ASK_EVERY_MS = 100;
/** Time limit of one request, in milliseconds: a first page may have to be compiled. */
const QUESTION_TIMEOUT_MS = 10_000;

/** Sends requests until the program answers below 500, `timeoutMs` is over, or `isOver` returns true. Never rejects. */
export async function waitUntilReady(options: ReadinessOptions, isOver: () => boolean): Promise<Readiness> {
  const endsAtMs = performance.now() + options.timeoutMs;
  let last: ProbeAnswer = { type: 'refused' };
  while (!isOver()) {
    const leftMs = endsAtMs - performance.now();
    if (leftMs <= 0) break;
    const timeoutMs = Math.min(leftMs, QUESTION_TIMEOUT_MS);
    const answer = await probe({ ...options, method: 'GET', timeoutMs });
    if (answer.type === 'answered' && isReady(answer)) return { isReady: true, address: answer.address };
    // The last request may have had only a millisecond: then the answer before it is more useful.
    const isCutShort = answer.type === 'silent' && timeoutMs < QUESTION_TIMEOUT_MS;
    if (!isCutShort || last.type !== 'answered') last = answer;
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
  return { isReady: false, last };
}

/** Description of the last outcome, for a program that `rollcall run` does not start. */
export async function whatAnswered(options: ReadinessOptions, last: ProbeAnswer): Promise<string> {
  const outcome = await exchangeText(options, last);
  if (last.type === 'unconnected') return `${outcome}: check the address`;
  if (last.type === 'answered' && last.status > 0) return `${outcome}: ${OTHER_PATH}`;
  return last.type === 'refused' ? `${outcome}: nothing listens there` : outcome;
}

const OTHER_PATH = 'use --ready PATH with a path that answers below 500';

/** The request and its outcome. */
async function exchangeText(options: ReadinessOptions, last: ProbeAnswer): Promise<string> {
  const outcome = questionText(options, last);
  if (last.type === 'silent') return `${outcome} was not answered`;
  if (last.type === 'unconnected') return `${outcome} found no connection`;
  if (last.type === 'refused') return `${outcome} was refused`;
  return `${outcome} ${last.status === 0 ? await withoutHttp(options, last.address) : `was answered with ${last.status}`}`;
}

function questionText(
  { port, path, isTls = false, isAjp = false, addresses }: ReadinessOptions,
  last: ProbeAnswer,
): string {
  const host = 'address' in last ? last.address : (addresses[0] ?? 'localhost');
  const question = isAjp ? 'CPING' : `GET ${path}`;
  return `${question} at ${host.includes(':') ? `[${host}]` : host}:${port}${isTls ? ' over TLS' : ''}`;
}

/**
 * One line about the reason why the program is not ready: request, answer and remedy. `root` is the pid of its first process. If
 * the answer was not HTTP, sends one more request with the other of HTTP and HTTPS. Never rejects.
 */
export async function whyNotReady(options: ReadinessOptions, last: ProbeAnswer, root: number): Promise<string> {
  const found = `not ready after ${Math.round(options.timeoutMs / 100) / 10} s: ${await exchangeText(options, last)}`;
  if (last.type === 'silent') return `${found}: use --ready PATH, or ${MORE_TIME}`;
  if (last.type === 'unconnected') return `${found} in time: ${MORE_TIME}`;
  if (last.type === 'refused') return `${found}: ${whatListens(options, root)}`;
  return last.status > 0 ? `${found}: ${OTHER_PATH}, or ${MORE_TIME}` : found;
}

const MORE_TIME = 'allow more time with --ready-timeout';
/** Time limit of the request in the other protocol, in milliseconds. */
const OTHER_PROTOCOL_MS = 2_000;

async function withoutHttp(options: ReadinessOptions, address: string): Promise<string> {
  const { isTls = false, isAjp = false } = options;
  if (isAjp) return 'was not answered in AJP: use the port of the AJP connector';
  const other = await probe({
    ...options,
    addresses: [address],
    method: 'GET',
    isTls: !isTls,
    timeoutMs: OTHER_PROTOCOL_MS,
  });
  const speaksOther = other.type === 'answered' && other.status > 0;
  if (speaksOther) return isTls ? 'was answered without TLS: leave out --https' : 'met TLS: use --https';
  return `was not answered in HTTP: use --port with the port of the program's web server`;
}

/** No process listens at the requested address. */
function whatListens({ port, addresses }: ReadinessOptions, root: number): string {
  const ports = listeningPorts(processTree(root).map((entry) => entry.pid));
  const elsewhere = ports.filter((entry) => entry.port !== port);
  if (ports.length > elsewhere.length)
    return `the program listens on port ${port}, but not at ${addresses.join(' or ')}: use --address`;
  if (elsewhere.length === 0)
    return `nothing listens there: start the program on {port} or $PORT, use --port N, or ${MORE_TIME}`;
  const seen = elsewhere
    .slice(0, 4)
    .map((entry) => `pid ${entry.pid} (${commandOf(entry.pid)}) listens on ${entry.port}`);
  return `${seen.join(', ')}: use --port ${elsewhere[0]!.port}`;
}
