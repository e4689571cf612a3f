/** Waiting for a program to become ready, and saying what is wrong when it does not. */
import { isReady } from './agent-beside.ts';
import { type ProbeAnswer, probe } from './probe.ts';
import { commandOf, listeningPorts, processTree } from './process-table.ts';

export interface ReadinessOptions {
  readonly port: number;
  readonly addresses: readonly string[];
  readonly path: string;
  readonly timeoutMs: number;
}

/** Where the program has answered, or what the last question came to. */
export type Readiness =
  | { readonly isReady: true; readonly address: string }
  | { readonly isReady: false; readonly last: ProbeAnswer };

const ASK_EVERY_MS = 100;
/** A first page may have to be compiled: one question may take this long, in milliseconds. */
const QUESTION_TIMEOUT_MS = 10_000;

/** Asks until the program accepts and answers below 500, `timeoutMs` is over, or `isOver` says to stop. Never rejects. */
export async function waitUntilReady(options: ReadinessOptions, isOver: () => boolean): Promise<Readiness> {
  const endsAtMs = performance.now() + options.timeoutMs;
  let last: ProbeAnswer = { type: 'refused' };
  while (!isOver()) {
    const leftMs = endsAtMs - performance.now();
    if (leftMs <= 0) break;
    const timeoutMs = Math.min(leftMs, QUESTION_TIMEOUT_MS);
    const answer = await probe({ ...options, method: 'GET', timeoutMs });
    if (answer.type === 'answered' && isReady(answer)) return { isReady: true, address: answer.address };
    // The last question may have had a millisecond: then the answer before it says more.
    const isCutShort = answer.type === 'silent' && timeoutMs < QUESTION_TIMEOUT_MS;
    if (!isCutShort || last.type !== 'answered') last = answer;
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
  return { isReady: false, last };
}

/** One line that says why the program is not ready, and what to do. `root` is the pid of its first process. */
export function whyNotReady(options: ReadinessOptions, last: ProbeAnswer, root: number): string {
  const { port, path } = options;
  const waited = `after ${Math.round(options.timeoutMs / 100) / 10} s`;
  if (last.type === 'silent') return `the program accepts on port ${port} but does not answer ${path} ${waited}`;
  if (last.type === 'answered') {
    if (last.status === 0) return `what listens on port ${port} does not speak HTTP`;
    return `the program answers ${last.status} at ${path} ${waited}: use --ready PATH with a path that answers below 500`;
  }
  const ports = listeningPorts(processTree(root).map((entry) => entry.pid));
  const elsewhere = ports.filter((entry) => entry.port !== port);
  if (ports.length > elsewhere.length) {
    return `the program listens on port ${port}, but not at ${options.addresses.join(' or ')}: use --address`;
  }
  if (elsewhere.length === 0) {
    return `nothing listens on port ${port} ${waited}: start the program on {port} or $PORT, or say --port N`;
  }
  const seen = elsewhere
    .slice(0, 4)
    .map((entry) => `pid ${entry.pid} (${commandOf(entry.pid)}) listens on ${entry.port}`);
  return `${seen.join(', ')}: use --port ${elsewhere[0]!.port}`;
}
