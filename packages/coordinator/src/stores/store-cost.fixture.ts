/**
 * Cost of the file store with 10,000 nodes. Not a test: prints figures for the README.
 *
 * 1. CPU and written bytes of an idle coordinator.
 * 2. The same under 20 changes a second by operators, with the time until an answer.
 * 3. Writes to the store alone while its journal is compacted.
 *
 *   node --conditions=@rollcall/source --import ./.tools/typescript.mjs packages/coordinator/src/stores/store-cost.fixture.ts
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { startCoordinator } from '../coordinator.ts';
import { openFileStore } from './file-store.ts';
import { openStore } from './open-store.ts';

const NODES = 10_000;
const CHANGES_PER_SECOND = 20;
const SECONDS = 15;
const TOKEN = 'admin-token-of-the-measurement';

interface Usage {
  readonly cpuMs: number;
  readonly bytes: number;
}

if (process.argv[2] === 'coordinator') await coordinator(process.argv[3]!);
else await measure();

async function coordinator(directory: string): Promise<void> {
  const store = await openStore(`file:${join(directory, 'cluster.json')}`, console.error);
  const { url } = await startCoordinator({
    listen: { host: '127.0.0.1', port: 0 },
    store: store!,
    stateDir: directory,
    adminToken: TOKEN,
    proxyUrl: 'http://127.0.0.1:1',
    version: '0.0.0-measure',
    log: pino({ level: 'warn' }),
  });
  process.on('message', () => process.send!(usage()));
  process.send!(url);
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const [, bytes] = /^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8')) ?? [];
  return { cpuMs: (user + system) / 1_000, bytes: Number(bytes) };
}

async function measure(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-store-cost-'));
  const node = createServer((_, response) => response.end());
  node.listen(0, '127.0.0.1');
  await once(node, 'listening');
  const url = `http://127.0.0.1:${(node.address() as AddressInfo).port}`;
  try {
    await fill(directory, url);
    const child = await start(directory);
    try {
      await sleep(20_000);
      await phase('idle', child.process, () => sleep(SECONDS * 1_000));
      const latencies: number[] = [];
      await phase(`${CHANGES_PER_SECOND} changes a second`, child.process, () => change(child.url, latencies));
      latencies.sort((one, other) => one - other);
      const at = (ratio: number): string => latencies[Math.floor(ratio * (latencies.length - 1))]!.toFixed(1);
      console.log(`answers: ${latencies.length}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${at(1)} ms`);
    } finally {
      child.process.kill('SIGKILL');
    }
    await compaction(join(directory, 'alone', 'cluster.json'));
  } finally {
    node.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Writes records one after the other from the start of a compaction of all nodes to its end. */
async function compaction(path: string): Promise<void> {
  const store = await openFileStore({ path, onProblem: console.error, compactBytes: 1 });
  const record = (i: number, version: number) => ({
    key: `node/n${i}`,
    version: [1, version] as const,
    value: { text: 'x'.repeat(600) },
  });
  await store.write(Array.from({ length: NODES }, (_, i) => record(i, 1)));
  const before = statSync(path).ino;
  await store.write([record(0, 2)]);
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const startMs = performance.now();
  let worstMs = 0;
  let writes = 0;
  for (; statSync(path).ino === before; writes += 1) {
    const writeMs = performance.now();
    await store.write([record(1, 3 + writes)]);
    worstMs = Math.max(worstMs, performance.now() - writeMs);
  }
  const tookMs = performance.now() - startMs;
  console.log(
    `compaction of ${NODES} records: ${tookMs.toFixed(0)} ms, ${writes} writes in that time, the slowest ${worstMs.toFixed(0)} ms, event loop blocked for ${(delays.max / 1e6).toFixed(0)} ms at most`,
  );
  await store.close();
}

/** Creates a store of many static members from the record of one. */
async function fill(directory: string, url: string): Promise<void> {
  const { process: first, url: control } = await start(directory);
  await api(control, 'PUT', '/v1/nodes/n0', { balancer: 'shop', url });
  await sleep(500);
  first.kill('SIGTERM');
  await once(first, 'exit');
  const store = await openStore(`file:${join(directory, 'cluster.json')}`, console.error);
  const [record] = (await store!.load()).filter(({ key }) => key === 'node/n0');
  const value = JSON.stringify(record!.value);
  const records = Array.from({ length: NODES - 1 }, (_, i) => ({
    ...record!,
    key: `node/n${i + 1}`,
    value: JSON.parse(value.replace('"id":"n0"', `"id":"n${i + 1}"`).replace(/"route":"[^"]*"/, `"route":"r${i + 1}"`)),
  }));
  await store!.write(records);
  await store!.close();
}

async function start(directory: string): Promise<{ readonly process: ChildProcess; readonly url: string }> {
  const child = fork(fileURLToPath(import.meta.url), ['coordinator', directory], { execArgv: process.execArgv });
  const [url] = (await once(child, 'message')) as [string];
  return { process: child, url };
}

async function phase(name: string, child: ChildProcess, run: () => Promise<unknown>): Promise<void> {
  const before = await usageOf(child);
  const startMs = performance.now();
  await run();
  const seconds = (performance.now() - startMs) / 1_000;
  const after = await usageOf(child);
  const cpu = (after.cpuMs - before.cpuMs) / 10 / seconds;
  const kilobytes = (after.bytes - before.bytes) / 1_000 / seconds;
  console.log(`${name}: CPU ${cpu.toFixed(1)} %, ${kilobytes.toFixed(1)} kB written a second`);
}

async function usageOf(child: ChildProcess): Promise<Usage> {
  child.send('usage');
  const [usage] = (await once(child, 'message')) as [Usage];
  return usage;
}

/** Open loop: a waiting change does not delay the next. */
async function change(control: string, latencies: number[]): Promise<void> {
  const answers: Promise<void>[] = [];
  for (let i = 0; i < SECONDS * CHANGES_PER_SECOND; i += 1) {
    const startMs = performance.now();
    const answer = api(control, 'PATCH', `/v1/nodes/n${(i * 37) % NODES}`, { weight: 1 + (i % 7) });
    answers.push(answer.then(() => void latencies.push(performance.now() - startMs)));
    await sleep(1_000 / CHANGES_PER_SECOND);
  }
  await Promise.all(answers);
}

async function api(control: string, method: string, path: string, body: object): Promise<void> {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  const response = await fetch(control + path, { method, headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(await response.text());
  await response.arrayBuffer();
}
