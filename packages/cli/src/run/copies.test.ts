import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Copies, type Copy } from './copies.ts';
import type { WrappedEnd } from './wrapped-node.ts';

/** Copies that end when the test ends them. */
class Stage {
  readonly lives: {
    readonly index: number;
    readonly end: (end: Partial<WrappedEnd>) => void;
    stopped: string[];
    readyMs: number;
  }[] = [];
  readonly waits: number[] = [];
  readonly logged: string[] = [];
  readonly renewed: number[] = [];
  mostCopies = 64;
  nowMs = 0;
  rng = 1;
  /** Pauses last until they are woken, instead of no time. */
  holdsPauses = false;
  /** Stopped copies drain until their stop is withdrawn or they end. */
  drains = false;
  #onChange: (() => void) | undefined;

  copies(count: number): Copies {
    return new Copies({
      count,
      newCopy: (index) => this.#newCopy(index),
      say: (line) => void this.logged.push(line),
      rng: () => this.rng,
      nowMs: () => this.nowMs,
      wait: async (delayMs, cancelled) => {
        this.waits.push(delayMs);
        this.#onChange?.();
        if (this.holdsPauses) await cancelled;
      },
    });
  }

  async untilLives(count: number): Promise<void> {
    while (this.lives.length < count) await new Promise<void>((resolve) => (this.#onChange = resolve));
  }

  async untilWaits(count: number): Promise<void> {
    while (this.waits.length < count) await new Promise<void>((resolve) => (this.#onChange = resolve));
  }

  #newCopy(index: number): Copy {
    if (index >= this.mostCopies) throw new Error('no room');
    let onEnd: (end: WrappedEnd) => void = () => {};
    const ended = new Promise<WrappedEnd>((resolve) => (onEnd = resolve));
    const end = (about: Partial<WrappedEnd>) => onEnd({ exitCode: 0, readyMs: 0, cause: 'it has ended', ...about });
    const life = { index, end, stopped: [] as string[], readyMs: 0 };
    return {
      get readyMs() {
        return life.readyMs;
      },
      run: () => {
        this.lives.push(life);
        this.#onChange?.();
        return ended;
      },
      stop: async (reason) => {
        life.stopped.push(reason);
        if (!this.drains) end({ exitCode: 143, readyMs: 1 });
      },
      withdrawStop: () => this.drains,
      renew: () => void this.renewed.push(index),
      kill: () => end({ exitCode: 137, readyMs: 0 }),
    };
  }
}

test('a single copy is not restarted: the wrapper exits with its code', async () => {
  const stage = new Stage();
  const run = stage.copies(1).run();
  await stage.untilLives(1);
  stage.lives[0]!.end({ exitCode: 7, readyMs: 100 });
  assert.equal(await run, 7);
  assert.equal(stage.lives.length, 1);
});

test('a copy that ends is restarted under its own number', async () => {
  const stage = new Stage();
  const copies = stage.copies(2);
  const run = copies.run();
  await stage.untilLives(2);
  for (let life = 1; life <= 3; life += 1) {
    stage.lives.at(-1)!.end({ exitCode: 1, readyMs: 500 });
    await stage.untilLives(2 + life);
  }
  assert.deepEqual(
    stage.lives.map((life) => life.index),
    [0, 1, 1, 1, 1],
  );
  await copies.stop('SIGTERM');
  assert.equal(await run, 0);
});

/** For how long each run was ready, the random number, and the pauses after the runs, in seconds. */
const PAUSES: readonly [readyS: readonly number[], rng: number, pausesS: readonly number[]][] = [
  [[0, 0, 0, 0, 0, 0, 0, 0, 0], 1, [0.5, 1, 2, 4, 8, 16, 30, 30, 30]],
  [[0, 0, 0, 0, 0, 0, 0, 0, 0], 0, [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15]],
  [[9, 9, 9, 9], 1, [0.5, 1, 2, 4]],
  [[0, 0, 10, 0, 0], 1, [0.5, 1, 0.5, 1, 2]],
];

for (const [readyS, rng, pausesS] of PAUSES)
  test(`runs that were ready for ${readyS.join(', ')} s are followed by pauses of ${pausesS.join(', ')} s`, async () => {
    const stage = new Stage();
    stage.rng = rng;
    const copies = stage.copies(2);
    const run = copies.run();
    await stage.untilLives(2);
    for (const [i, ready] of readyS.entries()) {
      stage.lives.at(-1)!.end({ exitCode: 1, readyMs: ready * 1_000 });
      await stage.untilLives(3 + i);
    }
    assert.deepEqual(
      stage.waits.map((pauseMs) => pauseMs / 1_000),
      pausesS,
    );
    copies.kill();
    await run;
  });

test('a failing copy is listed with cause, attempts and next attempt until it is healthy', async () => {
  const stage = new Stage();
  stage.holdsPauses = true;
  const copies = stage.copies(2);
  const run = copies.run();
  await stage.untilLives(2);
  assert.deepEqual(copies.failing(), [], 'a copy that starts for the first time does not fail');
  stage.lives[1]!.end({ exitCode: 1, cause: 'port 34104\nis taken' });
  await stage.untilWaits(1);
  stage.nowMs = 200;
  const failed = { copy: 2, attempts: 1, cause: 'port 34104 is taken' };
  assert.deepEqual(copies.failing(), [{ ...failed, retryMs: 300 }]);
  assert.match(stage.logged.at(-1)!, /^copy 2: port 34104\nis taken; trying again in 0\.5 s$/);

  copies.scale(2);
  assert.deepEqual(copies.failing(), [], 'a scale starts it at once and forgets the failures');
  await stage.untilLives(3);
  stage.lives[2]!.end({ exitCode: 1, cause: 'x'.repeat(500) });
  await stage.untilWaits(2);
  assert.equal(stage.waits[1], 500);
  const [{ cause } = { cause: '' }] = copies.failing();
  assert.deepEqual([cause.length, cause.at(-1)], [200, '…']);

  copies.scale(3);
  await stage.untilLives(5);
  stage.lives.find(({ index }) => index === 2)!.end({ exitCode: 1 });
  await stage.untilWaits(3);
  copies.scale(2);
  assert.deepEqual(copies.failing(), [], 'a copy that is no longer kept does not fail');
  await copies.stop('SIGTERM');
  assert.equal(await run, 0);
});

test('a copy that ends again and again fails, also while it is ready', async () => {
  const stage = new Stage();
  const copies = stage.copies(2);
  const run = copies.run();
  await stage.untilLives(2);
  stage.lives[1]!.end({ exitCode: 1, readyMs: 3_000, cause: 'the program has ended with 1' });
  await stage.untilLives(3);
  const failed = { copy: 2, attempts: 1, cause: 'the program has ended with 1' };
  stage.lives[2]!.readyMs = 9_999;
  assert.deepEqual(copies.failing(), [failed]);
  stage.lives[2]!.readyMs = 10_000;
  assert.deepEqual(copies.failing(), []);
  copies.kill();
  assert.equal(await run, 0);
});

test('if no copy becomes ready at its first start, the wrapper ends', async () => {
  const stage = new Stage();
  const run = stage.copies(2).run();
  await stage.untilLives(2);
  stage.lives[0]!.end({ exitCode: 1, readyMs: 0 });
  await stage.untilLives(3);
  stage.lives[1]!.end({ exitCode: 127, readyMs: 0 });
  stage.lives[2]!.end({ exitCode: 1, readyMs: 0 });
  assert.equal(await run, 1);
});

test('a stop ends every copy with the reason, and no copy is started afterwards', async () => {
  const stage = new Stage();
  const copies = stage.copies(3);
  const run = copies.run();
  await stage.untilLives(3);
  await copies.stop('SIGINT');
  assert.equal(await run, 0);
  assert.deepEqual(
    stage.lives.map((life) => life.stopped),
    [['SIGINT'], ['SIGINT'], ['SIGINT']],
  );
  assert.equal(stage.lives.length, 3);
});

test('scaled up, copies start under the lowest free numbers; scaled down, the newest drain and end', async () => {
  const stage = new Stage();
  const copies = stage.copies(2);
  const run = copies.run();
  await stage.untilLives(2);
  copies.scale(4);
  await stage.untilLives(4);
  assert.deepEqual(
    stage.lives.map(({ index }) => index),
    [0, 1, 2, 3],
  );
  assert.equal(copies.kept, 4);
  copies.scale(1);
  assert.equal(copies.kept, 1);
  assert.deepEqual(
    stage.lives.map(({ stopped }) => stopped),
    [[], ['scaled down'], ['scaled down'], ['scaled down']],
  );
  await new Promise((resolve) => setImmediate(resolve));
  copies.scale(2);
  await stage.untilLives(5);
  assert.equal(stage.lives[4]!.index, 1);
  await copies.stop('SIGTERM');
  assert.equal(await run, 0);
});

test('on scale-up, copies that still drain serve again before new copies start', async () => {
  const stage = new Stage();
  stage.drains = true;
  const copies = stage.copies(3);
  const run = copies.run();
  await stage.untilLives(3);
  copies.scale(1);
  copies.scale(2);
  assert.equal(copies.kept, 2);
  assert.match(stage.logged.at(-1)!, /^copy 2 was leaving and serves again$/);
  copies.scale(4);
  await stage.untilLives(4);
  assert.equal(stage.lives[3]!.index, 3, 'copies 1 to 3 run; only the fourth is started');
  await copies.stop('SIGTERM');
  assert.deepEqual(
    stage.lives.map(({ stopped }) => stopped.at(-1)),
    ['SIGTERM', 'SIGTERM', 'SIGTERM', 'SIGTERM'],
  );
  for (const { end } of stage.lives) end({ exitCode: 0, readyMs: 1 });
  assert.equal(await run, 0);
});

test('a single copy that was scaled is restarted like one of several', async () => {
  const stage = new Stage();
  const copies = stage.copies(1);
  const run = copies.run();
  await stage.untilLives(1);
  copies.scale(2);
  await stage.untilLives(2);
  copies.scale(1);
  stage.lives[0]!.end({ exitCode: 7, readyMs: 100 });
  await stage.untilLives(3);
  await copies.stop('SIGTERM');
  assert.equal(await run, 0);
});

test('without room for another copy the others continue, and it is tried again', async () => {
  const stage = new Stage();
  stage.holdsPauses = true;
  stage.mostCopies = 2;
  const copies = stage.copies(2);
  const run = copies.run();
  await stage.untilLives(2);
  copies.scale(3);
  await stage.untilWaits(1);
  assert.deepEqual(copies.failing(), [{ copy: 3, attempts: 1, cause: 'no room', retryMs: 500 }]);
  stage.mostCopies = 3;
  copies.scale(3);
  await stage.untilLives(3);
  assert.deepEqual(copies.failing(), []);
  await copies.stop('SIGTERM');
  assert.equal(await run, 0);
});

/** Copies that are kept at first, copies that are removed, and the number that is scaled to afterwards. */
const REMOVALS: readonly [
  count: number,
  removed: readonly number[],
  kept: number,
  scaled: number,
  started: number[],
][] = [
  [2, [1], 1, 1, []],
  [2, [1], 1, 2, [1]],
  [3, [0], 2, 3, [0]],
  [3, [0, 2], 1, 2, [0]],
];

for (const [count, removed, kept, scaled, started] of REMOVALS)
  test(`of ${count} copies ${removed.map((index) => index + 1).join(', ')} are removed: ${kept} are kept, and a scale to ${scaled} starts ${started.length}`, async () => {
    const stage = new Stage();
    const copies = stage.copies(count);
    const run = copies.run();
    await stage.untilLives(count);
    for (const index of removed) copies.removed(index);
    for (const { index, stopped } of stage.lives)
      assert.deepEqual(stopped, removed.includes(index) ? ['removed'] : [], `copy ${index}`);
    assert.equal(copies.kept, kept);
    const left = stage.lives.map(({ index }) => index).filter((index) => !removed.includes(index));
    assert.deepEqual(stage.renewed.slice(-left.length), left, 'the copies that stay announce the number');
    await new Promise(setImmediate);
    assert.equal(stage.lives.length, count, 'a removed copy is not restarted');
    copies.scale(scaled);
    await stage.untilLives(count + started.length);
    assert.deepEqual(
      stage.lives.slice(count).map(({ index }) => index),
      started,
    );
    await copies.stop('SIGTERM');
    assert.equal(await run, 0);
  });

for (const count of [1, 2])
  test(`a wrapper of ${count} ends with 0 when its last copy is removed`, async () => {
    const stage = new Stage();
    const copies = stage.copies(count);
    const run = copies.run();
    await stage.untilLives(count);
    for (let index = 0; index < count; index += 1) copies.removed(index);
    assert.equal(await run, 0);
  });

test('a copy that leaves because of a scale-down and is then removed is not subtracted twice', async () => {
  const stage = new Stage();
  stage.drains = true;
  const copies = stage.copies(3);
  const run = copies.run();
  await stage.untilLives(3);
  copies.scale(2);
  copies.removed(2);
  assert.equal(copies.kept, 2);
  copies.kill();
  await run;
});
