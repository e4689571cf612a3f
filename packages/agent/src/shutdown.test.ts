import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { DEFAULT_SIGNALS, ONE_SIGNAL_MS, onShutdownSignals, type SignalSource } from './shutdown.ts';

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

/** Steps that the test completes. */
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

test('a signal drains, closes, and is raised again without a listener', async () => {
  const source = new FakeProcess();
  const step = steps(source.did);
  onShutdownSignals(source, DEFAULT_SIGNALS, step, () => 0);
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
  onShutdownSignals(source, DEFAULT_SIGNALS, step, () => 0);
  source.emit('SIGINT');
  step.finish();
  await settle();
  assert.equal(source.did.at(-1), 'exit 130');
});

for (const kind of ['on', 'once'] as const)
  test(`a program with its own handler (${kind}) ends by itself: no server is closed, no signal raised`, async () => {
    const source = new FakeProcess();
    const step = steps(source.did);
    source[kind]('SIGTERM', () => source.did.push('own handler'));
    onShutdownSignals(source, DEFAULT_SIGNALS, step, () => 0);
    source.emit('SIGTERM');
    step.finish();
    await settle();
    assert.deepEqual(source.did, ['drain SIGTERM', 'own handler']);
  });

test('a second signal ends at once', async () => {
  const source = new FakeProcess();
  const step = steps(source.did);
  let nowMs = 0;
  onShutdownSignals(source, DEFAULT_SIGNALS, step, () => nowMs);
  source.emit('SIGINT');
  nowMs = ONE_SIGNAL_MS - 1;
  source.emit('SIGINT');
  assert.deepEqual(source.did, ['drain SIGINT'], 'an echo of the first');
  nowMs = ONE_SIGNAL_MS;
  source.emit('SIGINT');
  assert.deepEqual(source.did, ['drain SIGINT', 'kill 4711 SIGINT']);
});

test('several nodes in one process have one listener for each signal, and it waits for all of them', async () => {
  const source = new FakeProcess();
  const first = steps(source.did);
  const second = steps(source.did);
  onShutdownSignals(source, DEFAULT_SIGNALS, first, () => 0);
  onShutdownSignals(source, DEFAULT_SIGNALS, second, () => 0);
  assert.deepEqual([source.listenerCount('SIGTERM'), source.listenerCount('SIGINT')], [1, 1]);
  source.emit('SIGTERM');
  first.finish();
  await settle();
  assert.deepEqual(source.did, ['drain SIGTERM', 'drain SIGTERM']);
  second.finish();
  await settle();
  assert.deepEqual(source.did.slice(2), ['close', 'close', 'kill 4711 SIGTERM']);
});

test('another copy of this package adds its nodes to the same listeners', async () => {
  const copy: typeof import('./shutdown.ts') = await import(`${'./shutdown.ts'}?copy`);
  assert.notEqual(copy.onShutdownSignals, onShutdownSignals);
  const source = new FakeProcess();
  const [first, second] = [steps(source.did), steps(source.did)];
  const remove = onShutdownSignals(source, DEFAULT_SIGNALS, first, () => 0);
  const removeOther = copy.onShutdownSignals(source, ['SIGTERM', 'SIGHUP'], second, () => 0);
  const counts = () => (['SIGTERM', 'SIGINT', 'SIGHUP'] as const).map((signal) => source.listenerCount(signal));
  assert.deepEqual(counts(), [1, 1, 1]);
  remove();
  assert.deepEqual(counts(), [1, 0, 1]);
  removeOther();
  assert.deepEqual(counts(), [0, 0, 0]);
});

test('a signal ends the nodes that handle it, and the others stay', async () => {
  const source = new FakeProcess();
  const [first, second] = [steps(source.did), steps(source.did)];
  onShutdownSignals(source, ['SIGHUP'], first, () => 0);
  onShutdownSignals(source, ['SIGTERM'], second, () => 0);
  source.on('SIGHUP', () => source.did.push('own handler'));
  source.emit('SIGHUP');
  first.finish();
  await settle();
  assert.deepEqual(source.did, ['drain SIGHUP', 'own handler']);
  assert.deepEqual([source.listenerCount('SIGHUP'), source.listenerCount('SIGTERM')], [1, 1]);
});

test('a signal that the platform does not support is ignored', () => {
  const source = new FakeProcess();
  source.on('newListener', (signal) => {
    if (signal === 'SIGUSR2') throw new Error('ENOSYS');
  });
  onShutdownSignals(source, ['SIGUSR2', 'SIGTERM'], steps(source.did), () => 0);
  assert.deepEqual([source.listenerCount('SIGUSR2'), source.listenerCount('SIGTERM')], [0, 1]);
});

test('no listener is left after the removal', () => {
  const source = new FakeProcess();
  const step = steps(source.did);
  onShutdownSignals(source, DEFAULT_SIGNALS, step, () => 0)();
  source.emit('SIGTERM');
  assert.deepEqual(source.did, []);
});
