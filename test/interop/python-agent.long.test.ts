/** The example agent in Python, against the real coordinator and proxy. It is the node as well. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { request } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LiveCluster } from '../live-cluster/cluster.ts';

const AGENT = fileURLToPath(new URL('../../packages/protocol/examples/agent.py', import.meta.url));
const hasPython = spawnSync('python3', ['--version']).status === 0;

/** Output lines of the agent. */
class Told {
  readonly #lines: Record<string, unknown>[] = [];
  readonly #waiting: { readonly event: string; readonly resolve: (line: Record<string, unknown>) => void }[] = [];

  constructor(child: ChildProcess) {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        this.#take(JSON.parse(text.slice(0, end)) as Record<string, unknown>);
        text = text.slice(end + 1);
      }
    });
  }

  #take(line: Record<string, unknown>): void {
    const at = this.#waiting.findIndex(({ event }) => event === line['event']);
    if (at >= 0) this.#waiting.splice(at, 1)[0]!.resolve(line);
    else this.#lines.push(line);
  }

  /** The next line with this event; each line is given once. */
  next(event: string): Promise<Record<string, unknown>> {
    const at = this.#lines.findIndex((line) => line['event'] === event);
    if (at >= 0) return Promise.resolve(this.#lines.splice(at, 1)[0]!);
    return new Promise((resolve) => this.#waiting.push({ event, resolve }));
  }
}

test('an agent written from the document alone registers, serves, comes back and leaves', {
  timeout: 180_000,
  skip: hasPython ? false : 'python3 is missing: apt-get install python3',
}, async (t) => {
  const cluster = await LiveCluster.start();
  t.after(() => cluster.close());
  const agent = spawn(
    'python3',
    [
      AGENT,
      '--coordinator',
      cluster.controlUrl.replace('http', 'ws'),
      '--id',
      'py-1',
      '--balancer',
      'py',
      '--serve',
      '0',
      '--host',
      'py.test',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.after(() => agent.kill('SIGKILL'));
  const told = new Told(agent);
  assert.equal((await told.next('registered'))['route'], 'py-1');
  await cluster.untilUp('py-1');
  // The worker receives the change at most 50 ms later.
  while ((await statusThrough(cluster)) !== 200) await sleep(10);

  await cluster.killControl();
  await told.next('lost');
  await told.next('registered');
  assert.equal(await statusThrough(cluster), 200);

  const drained = await cluster.cli('drain', 'py-1', '--yes', '--reason', 'deploy');
  assert.equal(drained.code, 0, drained.stderr);
  const wanted = await told.next('wanted');
  assert.deepEqual([wanted['status'], wanted['reason']], ['draining', 'deploy']);

  const ended = new Promise((resolve) => agent.once('exit', resolve));
  agent.kill('SIGTERM');
  await told.next('left');
  assert.equal(await ended, 0);
  assert.equal(await statusThrough(cluster), 503);
});

function statusThrough(cluster: LiveCluster): Promise<number> {
  return new Promise((resolve, reject) => {
    request(
      { host: '127.0.0.1', port: cluster.proxyPort, path: '/', headers: { host: 'py.test' }, agent: false },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    )
      .on('error', reject)
      .end();
  });
}

test('the agent in Python ends permanently when a later process has its id, and names that process', {
  timeout: 60_000,
  skip: hasPython ? false : 'python3 is missing: apt-get install python3',
}, async (t) => {
  const cluster = await LiveCluster.start();
  t.after(() => cluster.close());
  const start = () => {
    const words = ['--coordinator', cluster.controlUrl.replace('http', 'ws'), '--balancer', 'py', '--serve', '0'];
    const agent = spawn('python3', [AGENT, ...words, '--id', 'py-2', '--host', 'py.test'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => agent.kill('SIGKILL'));
    return agent;
  };
  const first = start();
  const earlier = new Told(first);
  await earlier.next('registered');
  const ended = new Promise((resolve) => first.once('exit', resolve));
  const later = new Told(start());
  await later.next('registered');
  assert.equal((await earlier.next('error'))['code'], 'superseded');
  assert.equal(await ended, 1);
});

test('the agent in Python holds a connection to each coordinator, outlives one of them, and refuses bad lists', {
  timeout: 180_000,
  skip: hasPython ? false : 'python3 is missing: apt-get install python3',
}, async (t) => {
  const clusters = await Promise.all([LiveCluster.start(), LiveCluster.start()]);
  t.after(() => Promise.all(clusters.map((cluster) => cluster.close())));
  const [first, second] = clusters as [LiveCluster, LiveCluster];
  const urls = clusters.map(({ controlUrl }) => controlUrl.replace('http', 'ws'));
  const words = [AGENT, '--id', 'py-3', '--balancer', 'py', '--serve', '0', '--host', 'py.test'];
  const start = (list: string) =>
    spawn('python3', words, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ROLLCALL_URL: list } });
  const agent = start(urls.join(','));
  agent.stderr.pipe(process.stderr);
  t.after(() => agent.kill('SIGKILL'));
  const told = new Told(agent);
  const places = [await told.next('registered'), await told.next('registered')].map((line) => line['coordinator']);
  assert.deepEqual(new Set(places), new Set(urls));
  for (const cluster of clusters) {
    await cluster.untilUp('py-3');
    while ((await statusThrough(cluster)) !== 200) await sleep(10);
  }

  await first.killControl();
  assert.equal((await told.next('lost'))['coordinator'], urls[0]);
  for (const cluster of clusters) assert.equal(await statusThrough(cluster), 200, 'nothing fails');
  assert.equal((await told.next('registered'))['coordinator'], urls[0], 'it returns');
  for (const cluster of clusters) assert.equal(await statusThrough(cluster), 200);
  await second.untilUp('py-3');

  const ended = new Promise((resolve) => agent.once('exit', resolve));
  agent.kill('SIGTERM');
  const left = [await told.next('left'), await told.next('left')].map((line) => line['coordinator']);
  assert.deepEqual(new Set(left), new Set(urls));
  assert.equal(await ended, 0);
  for (const cluster of clusters) assert.equal(await statusThrough(cluster), 503);

  for (const [list, sentence] of [
    ['ws://a.test,a.test:8400', /listed twice/],
    ['a,b,c,d,e,f', /more than 5/],
    ['ws://a.test,', /no address/],
  ] as const) {
    const bad = spawnSync('python3', words, { encoding: 'utf8', env: { ...process.env, ROLLCALL_URL: list } });
    assert.equal(bad.status, 2);
    assert.match(bad.stderr, sentence);
  }
});
