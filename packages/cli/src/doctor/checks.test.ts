import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { listening } from '@rollcall/agent/testing';
import type { NodeResource, StatusResource } from '@rollcall/protocol';
import { startCluster } from '../testing/cluster.ts';
import {
  certificateChecks,
  clockCheck,
  nodesCheck,
  storeChecks,
  verdictChecks,
  versionCheck,
  workersCheck,
} from './cluster-checks.ts';
import { limitChecks, proxyCheck, stateChecks } from './machine-checks.ts';

const NOW = 1_000_000_000_000;
const DAY = 86_400_000;
const status = (more: object): StatusResource =>
  ({
    nowUnixMs: NOW,
    version: '1.2.3',
    store: { kind: 'file', isReachable: true, sinceUnixMs: NOW, waiting: 0 },
    workers: [{ worker: 'w1', version: '1.2.3', isCurrent: true }],
    processes: [],
    verdict: { line: '', problems: [] },
    ...more,
  }) as unknown as StatusResource;
const node = (more: object): NodeResource =>
  ({ id: 'n1', liveness: 'up', observed: { ports: [{ worker: 'w1', port: 'answers' }] }, ...more }) as never;
const statesOf = (checks: readonly { readonly state: string }[]): string[] => checks.map(({ state }) => state);

test('a store that is unreachable is a problem with its cause', () => {
  assert.deepEqual(statesOf(storeChecks(status({}))), ['ok']);
  const store = { kind: 'file', isReachable: false, sinceUnixMs: NOW - 5_000, waiting: 3, lastError: 'ENOSPC' };
  const sharing = { kind: 'redis', isReachable: true, refusal: 'another cluster', sinceUnixMs: NOW, coordinators: [] };
  const [own, shared] = storeChecks(status({ store, sharing }));
  assert.equal(own!.text, 'file: unreachable for 5s (ENOSPC), 3 records wait');
  assert.equal(shared!.state, 'problem');
});

test('the clock is compared with the middle of the request', () => {
  assert.equal(clockCheck(status({}), NOW + 50, 100).text, 'the clock of the coordinator differs by 0ms');
  assert.equal(clockCheck(status({}), NOW + 5_000, 100).state, 'note');
  assert.equal(clockCheck(status({}), NOW + 4_000, 8_000).state, 'ok', 'the request took as long');
});

test('certificates that end soon, have ended or cannot be read are found', () => {
  const checks = (leftMs: number, more = {}) =>
    certificateChecks(status({ controlCertificate: { path: 'c.pem', endsAtUnixMs: NOW + leftMs, ...more } }));
  assert.deepEqual(certificateChecks(status({})), []);
  assert.deepEqual(statesOf(checks(90 * DAY)), ['ok']);
  assert.deepEqual(statesOf(checks(20 * DAY)), ['note']);
  assert.equal(checks(-DAY)[0]!.text, 'c.pem expired 1d0h ago');
  assert.deepEqual(statesOf(checks(90 * DAY, { problem: 'the key does not match' })), ['problem']);
  const site = { path: 's.pem', names: [], endsAtUnixMs: NOW + DAY };
  const processes = [{ certificates: [site] }, { certificates: [site] }];
  assert.deepEqual(statesOf(certificateChecks(status({ processes }))), ['problem'], 'of two workers once');
});

test('nodes that are missing, or that a worker does not reach, are problems', () => {
  assert.equal(nodesCheck([]).state, 'note');
  assert.equal(nodesCheck([node({})]).state, 'ok');
  assert.match(nodesCheck([node({}), node({ id: 'n2', liveness: 'missing' })]).text, /^1 node missing or down: n2$/);
  const unreached = node({ id: 'n3', observed: { ports: [{ worker: 'w1', port: 'refused' }] } });
  assert.match(nodesCheck([unreached]).text, /do not reach n3/);
});

test('workers and versions', () => {
  assert.equal(workersCheck(status({ workers: [] })).state, 'problem');
  assert.equal(workersCheck(status({ workers: [{ worker: 'w1', isCurrent: false }] })).state, 'note');
  assert.equal(versionCheck(status({}), '1.2.3').state, 'ok');
  assert.equal(versionCheck(status({}), '1.2.4').state, 'note');
  assert.equal(versionCheck(status({ workers: [{ worker: 'w', refused: 'other feed' }] }), '1.2.3').state, 'problem');
});

test('problems of the verdict are listed, planned work is not', () => {
  const problems = [
    { kind: 'sticky', level: 'risk', message: 'sessions are lost' },
    { kind: 'store', level: 'risk', message: 'has a check of its own' },
    { kind: 'draining', level: 'planned', message: 'n1 is draining' },
  ];
  const checks = verdictChecks(status({ verdict: { line: '', problems } }));
  assert.deepEqual(
    checks.map(({ name, state }) => [name, state]),
    [
      ['sticky', 'problem'],
      ['verdict', 'ok'],
    ],
  );
});

test('limits of the system are read, and are absent on other systems', () => {
  const files: Record<string, string> = {
    '/proc/self/limits': 'Max open files            1024                 4096                 files\n',
    '/proc/sys/net/core/somaxconn': '128\n',
    '/proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n',
  };
  assert.deepEqual(statesOf(limitChecks((path) => files[path]!)), ['problem', 'note', 'ok']);
  assert.deepEqual(
    limitChecks(() => {
      throw new Error('ENOENT');
    }),
    [],
  );
});

test('the proxy is requested, and its state directory looked at', async (t) => {
  const port = await listening(
    t,
    createServer((_, response) => void response.writeHead(503).end()),
  );
  assert.match((await proxyCheck(`http://0.0.0.0:${port}`)).text, /^http:\/\/127\.0\.0\.1:\d+\/? answers with 503$/);
  assert.equal((await proxyCheck('http://127.0.0.1:2')).state, 'problem');
  assert.equal(stateChecks('/nowhere/at/all')[0]!.state, 'note');
  assert.match(stateChecks('/tmp')[0]!.text, /^\/tmp: \d+ MiB free$/);
});

test('doctor prints a line per check, and is exit code 5 with problems', async (t) => {
  const cluster = await startCluster(t);
  const ran = await cluster.run('doctor');
  assert.equal(ran.code, 5, ran.stderr);
  assert.match(ran.stdout, /^ok +coordinator +\S+ at http/m);
  assert.match(ran.stdout, /^ok +token +this command has the role admin$/m);
  assert.match(ran.stdout, /^problem +workers +no worker is connected\n +to do: see the log of rollcall up$/m);
  const viewer = await cluster.run('doctor', { env: { ROLLCALL_ADMIN_TOKEN: '', ROLLCALL_STATE_DIR: '/none' } });
  assert.match(viewer.stdout, /^note +token +this command can only read$/m);
  const { checks } = (await cluster.run('doctor --json')).json<{ checks: { name: string }[] }>();
  assert.ok(checks.some(({ name }) => name === 'store'));
  const none = await cluster.run('doctor', { env: { ROLLCALL_URL: 'http://127.0.0.1:2' } });
  assert.equal(none.code, 5);
  assert.match(none.stdout, /^problem +coordinator +cannot connect to http:\/\/127\.0\.0\.1:2/);
  const wrong = await cluster.run('doctor', { env: { ROLLCALL_ADMIN_TOKEN: 'wrong-token-of-a-test' } });
  assert.match(wrong.stdout, /^problem +token +the token is unknown/m);
});
