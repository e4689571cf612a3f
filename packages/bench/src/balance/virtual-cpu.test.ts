import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CpuTimers, VirtualCpu } from './virtual-cpu.ts';

const wanted = (): boolean => true;

/** Time that a test moves; each timer comes `lateMs` too late. */
class ManualTimers implements CpuTimers {
  #nowMs = 1_000;
  #timers: { readonly atMs: number; readonly run: () => void }[] = [];
  readonly #lateMs: number;

  constructor(lateMs = 0) {
    this.#lateMs = lateMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms + this.#lateMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((one, other) => one.atMs - other.atMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
    }
    this.#nowMs = untilMs;
  }
}

test('requests are served one after the other, at the speed', () => {
  const timers = new ManualTimers();
  const cpu = new VirtualCpu(2, timers);
  const done: [number, number][] = [];
  for (const workMs of [100, 40]) cpu.submit(workMs, wanted, (serviceMs) => done.push([timers.nowMs(), serviceMs]));
  assert.equal(cpu.inFlight, 2);
  timers.advance(200);
  assert.deepEqual(done, [
    [1_050, 50],
    [1_070, 20],
  ]);
  assert.deepEqual([cpu.inFlight, cpu.busyMs()], [0, 70]);
});

test('late timers do not make it slower', () => {
  const timers = new ManualTimers(3);
  const cpu = new VirtualCpu(1, timers);
  const done: [number, number][] = [];
  for (let i = 0; i < 100; i++) cpu.submit(10, wanted, (serviceMs) => done.push([timers.nowMs(), serviceMs]));
  timers.advance(2_000);
  assert.equal(done.length, 100);
  assert.ok(done.every(([, serviceMs]) => Math.abs(serviceMs - 10) < 1e-9));
  assert.ok(done.at(-1)![0] <= 2_000 + 3 + 1e-9, `${done.at(-1)![0]}`);
  assert.ok(Math.abs(cpu.busyMs() - 1_000) < 1e-6);
});

test('a change of speed counts for what is left', () => {
  const timers = new ManualTimers();
  const cpu = new VirtualCpu(1, timers);
  const done: number[] = [];
  cpu.submit(100, wanted, (serviceMs) => done.push(timers.nowMs(), serviceMs));
  timers.advance(50);
  cpu.setSpeed(0.5);
  timers.advance(99);
  assert.deepEqual(done, []);
  timers.advance(1);
  assert.deepEqual(done, [1_150, 150]);
});

test('what nobody waits for any more is not served', () => {
  const timers = new ManualTimers();
  const cpu = new VirtualCpu(1, timers);
  const done: [string, number][] = [];
  let isWanted = true;
  cpu.submit(10, wanted, (serviceMs) => done.push(['first', serviceMs]));
  cpu.submit(
    10,
    () => isWanted,
    (serviceMs) => done.push(['second', serviceMs]),
  );
  cpu.submit(10, wanted, (serviceMs) => done.push(['third', serviceMs]));
  isWanted = false;
  timers.advance(30);
  assert.deepEqual(done, [
    ['first', 10],
    ['second', 0],
    ['third', 10],
  ]);
  assert.equal(cpu.busyMs(), 20);
});

test('idle time is not busy', () => {
  const timers = new ManualTimers();
  const cpu = new VirtualCpu(1, timers);
  timers.advance(500);
  cpu.submit(10, wanted, () => {});
  timers.advance(5);
  assert.equal(cpu.busyMs(), 5);
  timers.advance(500);
  assert.equal(cpu.busyMs(), 10);
});
