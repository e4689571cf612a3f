import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CertificateResource, ProcessResource } from '@rollcall/protocol';
import { noWorkerAdvice, restartAdvice, siteCertificateAdvice } from './process-advice.ts';

const NOW = 1_000_000;
const DAY_MS = 86_400_000;

function processOf(name: string, change: Partial<ProcessResource> = {}): ProcessResource {
  const restartReasons = { exit: 0, signal: 0, 'no-answer': 0 };
  return { name, sinceUnixMs: NOW - 60_000, restarts: 0, restartReasons, isServing: true, failedStarts: 0, ...change };
}

const RUNS = 'No proxy worker is connected. Running workers serve the last known cluster.';
const NONE = 'No proxy worker runs. Connections of clients wait until one serves.';
const DOWN = { isServing: false };

const WORKERS: readonly (readonly [what: string, processes: readonly ProcessResource[], advice: string])[] = [
  ['no supervisor', [], RUNS],
  ['one worker serves', [processOf('worker')], RUNS],
  ['one worker does not', [processOf('worker', DOWN)], NONE],
  ['one of two serves', [processOf('worker 0', DOWN), processOf('worker 1')], RUNS],
  ['none of two serves', [processOf('worker 0', DOWN), processOf('worker 1', DOWN)], NONE],
  ['only other processes serve', [processOf('control'), processOf('worker', DOWN), processOf('static')], NONE],
  [
    'a supervisor of an earlier release',
    [{ name: 'worker', sinceUnixMs: 0, restarts: 9, restartReasons: { exit: 9, signal: 0, 'no-answer': 0 } }],
    RUNS,
  ],
];

for (const [what, processes, advice] of WORKERS)
  test(`no connected worker, ${what}`, () => assert.equal(noWorkerAdvice(processes), advice));

const FAILING = { isServing: false, failedStarts: 21, lastReason: 'cannot read /x.key: ENOENT' };

const RESTARTS: readonly (readonly [what: string, process: ProcessResource, advice: RegExp | undefined])[] = [
  ['a process that serves', processOf('worker'), undefined],
  ['one failed start', processOf('worker', { ...FAILING, failedStarts: 1 }), undefined],
  ['a process that has served for 5 s', processOf('worker', { ...FAILING, isServing: true }), undefined],
  [
    'a worker',
    processOf('worker 1', FAILING),
    /^The process worker 1 does not stay up: it ended 21 times in a row, the last time with: cannot read \/x\.key: ENOENT\. Connections that wait for it get no answer\. Remove the cause; the supervisor starts it again/,
  ],
  [
    'a worker that ends after it has served',
    processOf('worker', { ...FAILING, isServing: true, sinceUnixMs: NOW - 4_000 }),
    /^The process worker does not stay up/,
  ],
  ['another process', processOf('static', FAILING), /^The process static .*: ENOENT\. Remove the cause/],
  [
    'an exit code',
    processOf('worker', { ...FAILING, lastReason: 'exit 1' }),
    /: exit code 1, without an error message\./,
  ],
  [
    'a signal',
    processOf('worker', { ...FAILING, lastReason: 'SIGKILL' }),
    /: the signal SIGKILL, from another program or/,
  ],
  ['silence', processOf('worker', { ...FAILING, lastReason: 'no answer for 10 s' }), /: no answer for 10 s\./],
];

for (const [what, process, advice] of RESTARTS)
  test(`advice on restarts: ${what}`, () => {
    const sentences = restartAdvice([process], NOW);
    if (advice === undefined) assert.deepEqual(sentences, []);
    else assert.match(sentences[0] ?? '', advice);
  });

test('many failing processes are three sentences and a number', () => {
  const failing = [0, 1, 2, 3, 4].map((slot) => processOf(`worker ${slot}`, FAILING));
  const sentences = restartAdvice(failing, NOW);
  assert.equal(sentences.length, 4);
  assert.equal(sentences[3], '2 more processes do not stay up.');
});

test('certificates of the site: one sentence for each file, with the workers that it concerns', () => {
  const good: CertificateResource = { path: 'a.crt', names: ['a.example'], endsAtUnixMs: NOW + 60 * DAY_MS };
  const ending = { ...good, path: 'b.crt', endsAtUnixMs: NOW + 3.5 * DAY_MS };
  const bad = { ...good, problem: 'cannot read a.key: EACCES' };
  const worker = (slot: number, ...certificates: CertificateResource[]) =>
    processOf(`worker ${slot}`, { certificates });
  const advice = (...processes: ProcessResource[]) => siteCertificateAdvice(processes, NOW);
  assert.deepEqual(advice(worker(0, good), processOf('control')), []);
  const sentences = advice(worker(0, bad, ending), worker(1, bad, ending), worker(2, good));
  assert.equal(sentences.length, 2);
  assert.match(
    sentences[0]!,
    /^The files of the certificate of the site, a\.crt, cannot be used: .*EACCES\. In use by worker 0, worker 1 is/,
  );
  assert.match(sentences[1]!, /^The certificate of the site, b\.crt, expires at .*, in 3 days\./);
  const many = [1, 2, 3, 4].map((number) => ({ ...bad, path: `${number}.crt` }));
  assert.equal(advice(worker(0, ...many))[3], '1 more certificates of the site have files that cannot be used.');
});
