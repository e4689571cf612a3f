/** Advice on processes of `rollcall up`: processes that do not start, and certificates of the site that the workers use. */
import type { CertificateResource, ProcessResource } from '@rollcall/protocol';
import { endAdvice, problemAdvice, SITE_CERTIFICATE } from '../network/certificate-advice.ts';

/** A process with this number of failed starts in a row is reported. */
const MANY = 2;
/** A process that has served for this time is not in a restart loop, milliseconds. */
const STEADY_MS = 5_000;
/** Most processes, and most certificates, with a sentence of their own. */
const MAX_NAMED = 3;

/** Workers as the supervisor reports them; empty without a supervisor. */
function workersOf(processes: readonly ProcessResource[]): readonly ProcessResource[] {
  return processes.filter(({ name }) => /^worker\b/.test(name));
}

/** A sentence if no worker follows the feed: whether workers run without it, or none runs. */
export function noWorkerAdvice(processes: readonly ProcessResource[]): string {
  const workers = workersOf(processes);
  return workers.length > 0 && workers.every(({ isServing }) => isServing === false)
    ? 'No proxy worker runs. Connections of clients wait until one serves.'
    : 'No proxy worker is connected. Running workers serve the last known cluster.';
}

/** A sentence for each process that is restarted again and again, with the cause of its last end. */
export function restartAdvice(processes: readonly ProcessResource[], nowUnixMs: number): readonly string[] {
  const looping = processes.filter(
    ({ isServing, failedStarts = 0, sinceUnixMs }) =>
      failedStarts >= MANY && (isServing !== true || nowUnixMs - sinceUnixMs < STEADY_MS),
  );
  return limited(
    looping.map(({ name, failedStarts, lastReason }) => {
      const effect = /^worker\b/.test(name) ? ' Connections that wait for it get no answer.' : '';
      return `The process ${name} does not stay up: it ended ${failedStarts} times in a row, the last time with: ${causeText(lastReason)}.${effect} Remove the cause; the supervisor starts it again within seconds. The log has the details.`;
    }),
    'processes do not stay up',
  );
}

/** Text of an end without a message of the process. */
function causeText(reason = 'an unknown reason'): string {
  if (/^exit \d+$/.test(reason)) return `${reason.replace('exit', 'exit code')}, without an error message`;
  if (/^SIG[A-Z0-9]+$/.test(reason)) return `the signal ${reason}, from another program or the system`;
  return reason.replace(/\.$/, '');
}

/** Sentences about files of the site's certificates that cannot be used, then about certificates that end. */
export function siteCertificateAdvice(processes: readonly ProcessResource[], nowUnixMs: number): readonly string[] {
  const problems = new Map<string, { readonly certificate: CertificateResource; readonly users: string[] }>();
  const ending = new Set<string>();
  for (const { name, certificates = [] } of workersOf(processes))
    for (const certificate of certificates) {
      const { path, problem, endsAtUnixMs } = certificate;
      const key = `${path} ${endsAtUnixMs} ${problem}`;
      const known = problems.get(key);
      if (known !== undefined) known.users.push(name);
      else if (problem !== undefined) problems.set(key, { certificate, users: [name] });
      const sentence = endAdvice(SITE_CERTIFICATE, certificate, nowUnixMs);
      if (sentence !== undefined) ending.add(sentence);
    }
  const unusable = [...problems.values()].map(({ certificate, users }) =>
    problemAdvice(SITE_CERTIFICATE, certificate, certificate.problem!, users.join(', ')),
  );
  return [
    ...limited(unusable, 'certificates of the site have files that cannot be used'),
    ...limited([...ending], 'certificates of the site end within 14 days'),
  ];
}

function limited(sentences: readonly string[], what: string): readonly string[] {
  const more = sentences.length - MAX_NAMED;
  return more > 0 ? [...sentences.slice(0, MAX_NAMED), `${more} more ${what}.`] : sentences;
}
