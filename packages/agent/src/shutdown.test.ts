import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { ONE_SIGNAL_MS, onShutdownSignals, type SignalSource } from './shutdown.ts';

class FakeProcess extends EventEmitter implements SignalSource {
  readonly pid: number;
  readonly did: string[] = [];

  constructor(pid = 4_711) {
    super();
    this.pid = pid;
  }

  kill(pid: number, signal: string): void {
    this.did.push(`kill ${pid} ${signal}`);
  }

  exit(code: number): void {
    this.did.push(`exit ${code}`);
  }
}

/** Steps that a test lets pass. */
function steps(did: string[]) {
  let finish: () => void = () => {};
  const drained = new Promise<void>((resolve) => (finish = resolve));
  return {
    finish: () => finish(),
    drain: (reason: string) => {
      did.push(`drain ${reason}`);
      return drained;
    },
    close: async () => void did.push('close'),
  };
}

const settle = () => new Promise(setImmediate);

test('a signal drains, closes, and is raised again with nobody listening', async () => {
  const source = new FakeProcess();
  const step = steps(source.did);
  onShutdownSignals(source, step, () => 0);
  source.emit('SIGTERM');
  await settle();
  assert.deepEqual(source.did, ['drain SIGTERM']);
  step.finish();
  await settle();
  assert.deepEqual(source.did, ['drain SIGTERM', 'close', 'kill 4711 SIGTERM']);
  assert.equal(source.listenerCount('SIGTERM') + source.listenerCount('SIGINT'), 0);
});

test('process 1 of a container exits instead, because the kernel ignores its signals', async () => {
  const source = new FakeProcess(1);
  const step = steps(source.did);
  onShutdownSignals(source, step, () => 0);
  source.emit('SIGINT');
  step.finish();
  await settle();
  assert.equal(source.did.at(-1), 'exit 130');
});

test('a program with a handler of its own ends by itself: nothing is closed or raised', async () => {
  const source = new FakeProcess();
  const step = steps(source.did);
  source.on('SIGTERM', () => source.did.push('own handler'));
  onShutdownSignals(source, step, () => 0);
  source.emit('SIGTERM');
  step.finish();
  await settle();
  assert.deepEqual(source.did, ['own handler', 'drain SIGTERM']);
});

test('a second signal ends at once', async () => {
  const source = new FakeProcess();
  const step = steps(source.did);
  let nowMs = 0;
  onShutdownSignals(source, step, () => nowMs);
  source.emit('SIGINT');
  nowMs = ONE_SIGNAL_MS - 1;
  source.emit('SIGINT');
  assert.deepEqual(source.did, ['drain SIGINT'], 'an echo of the first');
  nowMs = ONE_SIGNAL_MS;
  source.emit('SIGINT');
  assert.deepEqual(source.did, ['drain SIGINT', 'kill 4711 SIGINT']);
});

test('with two nodes in one process the later one raises the signal', async () => {
  const source = new FakeProcess();
  const first = steps(source.did);
  const second = steps(source.did);
  onShutdownSignals(source, first, () => 0);
  onShutdownSignals(source, second, () => 0);
  source.emit('SIGTERM');
  first.finish();
  await settle();
  assert.ok(!source.did.some((line) => line.startsWith('kill')));
  second.finish();
  await settle();
  assert.equal(source.did.filter((line) => line.startsWith('kill')).length, 1);
});

test('nothing of it is left once it was taken back', () => {
  const source = new FakeProcess();
  const step = steps(source.did);
  onShutdownSignals(source, step, () => 0)();
  source.emit('SIGTERM');
  assert.deepEqual(source.did, []);
});
