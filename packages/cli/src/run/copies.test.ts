import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Copies, type Copy } from './copies.ts';
import type { WrappedEnd } from './wrapped-node.ts';

/** Copies that end when the test ends them. */
class Stage {
  readonly lives: { readonly index: number; readonly end: (end: WrappedEnd) => void; stopped: string[] }[] = [];
  readonly waits: number[] = [];
  readonly logged: string[] = [];
  mostCopies = 64;
  /** Stopped copies drain until their stop is withdrawn or they end. */
  drains = false;
  #onLife: (() => void) | undefined;

  copies(count: number): Copies {
    return new Copies({
      count,
      newCopy: (index) => this.#newCopy(index),
      say: (line) => void this.logged.push(line),
      rng: () => 1,
      wait: async (delayMs) => void this.waits.push(delayMs),
    });
  }

  async untilLives(count: number): Promise<void> {
    while (this.lives.length < count) await new Promise<void>((resolve) => (this.#onLife = resolve));
  }

  #newCopy(index: number): Copy {
    if (index >= this.mostCopies) throw new Error('no room');
    let end: (end: WrappedEnd) => void = () => {};
    const ended = new Promise<WrappedEnd>((resolve) => (end = resolve));
    const life = { index, end, stopped: [] as string[] };
    return {
      run: () => {
        this.lives.push(life);
        this.#onLife?.();
        return ended;
      },
      stop: async (reason) => {
        life.stopped.push(reason);
        if (!this.drains) end({ exitCode: 143, readyMs: 1 });
      },
      withdrawStop: () => this.drains,
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

test('a copy that ends is restarted under its own number, with growing delays', async () => {
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
  assert.deepEqual(stage.waits, [500, 1_000, 2_000]);
  await copies.stop('SIGTERM');
  assert.equal(await run, 0);
});

test('a copy that was healthy is restarted quickly again', async () => {
  const stage = new Stage();
  const copies = stage.copies(2);
  const run = copies.run();
  await stage.untilLives(2);
  stage.lives[1]!.end({ exitCode: 1, readyMs: 60_000 });
  await stage.untilLives(3);
  assert.deepEqual(stage.waits, [250]);
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

test('if another copy cannot start, the others continue', async () => {
  const stage = new Stage();
  stage.mostCopies = 2;
  const copies = stage.copies(2);
  const run = copies.run();
  await stage.untilLives(2);
  copies.scale(3);
  assert.equal(copies.kept, 2);
  assert.match(stage.logged.join('\n'), /cannot start another copy: no room/);
  await copies.stop('SIGTERM');
  assert.equal(await run, 0);
});
