import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Descriptor } from './descriptor.ts';
import { LogDestination } from './log-destination.ts';
import { lossText } from './open-log.ts';

const { O_NONBLOCK, O_RDONLY } = fs.constants;

function directory(t: TestContext): string {
  const path = fs.mkdtempSync(join(tmpdir(), 'rollcall-logging-'));
  t.after(() => fs.rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A named pipe; `read` returns the octets that have arrived since the last call. */
function pipe(t: TestContext): { readonly path: string; read(): string; close(): void } {
  const path = join(directory(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const fd = fs.openSync(path, O_RDONLY | O_NONBLOCK);
  let isOpen = true;
  const close = (): void => {
    if (isOpen) fs.closeSync(fd);
    isOpen = false;
  };
  t.after(close);
  const octets = Buffer.alloc(65_536);
  return {
    path,
    close,
    read: () => {
      let text = '';
      try {
        for (let count = 1; count > 0; ) {
          count = fs.readSync(fd, octets);
          text += octets.toString('latin1', 0, count);
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      }
      return text;
    },
  };
}

async function until(isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!isSo()) {
    assert.ok(performance.now() < endMs, 'the condition is not met within 10 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Every line is either complete in `text` or counted in a report. */
function assertAccounted(text: string, sent: number, lost: number): void {
  const lines = text.split('\n');
  assert.equal(lines.pop(), '');
  let [written, reported] = [0, 0];
  for (const line of lines) {
    const report = /^([\d,]+) log lines? w(?:as|ere) lost \(.+\)$/.exec(line);
    if (report) reported += Number(report[1]!.replaceAll(',', ''));
    else {
      assert.match(line, /^line \d+ x*$/);
      written += 1;
    }
  }
  assert.deepEqual([written, reported], [sent - lost, lost]);
}

const report = (losses: Parameters<typeof lossText>[0]): string => `${lossText(losses)}\n`;
const lineOf = (i: number): string => `line ${i} ${'x'.repeat(i % 300)}\n`;

test('a file receives all lines, in order', async (t) => {
  const path = join(directory(t), 'log');
  const destination = new LogDestination({ target: path });
  let expected = '';
  for (let i = 0; i < 5_000; i++) {
    destination.write(lineOf(i));
    expected += lineOf(i);
  }
  await destination.close();
  assert.equal(fs.readFileSync(path, 'utf8'), expected);
  assert.equal(destination.lost, 0);
});

test('while the reader is stopped, lines are buffered up to the limit, then lost, counted and reported', async (t) => {
  const { path, read } = pipe(t);
  const destination = new LogDestination({ target: path, maxLength: 20_000, report });
  const lines = 3_000;
  for (let i = 0; i < lines; i++) {
    destination.write(lineOf(i));
    if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const { lost } = destination;
  assert.ok(lost > 1_000 && lost < lines, `${lost} lost`);
  let text = '';
  await until(() => {
    text += read();
    return / lost \(written too slowly\)\n/.test(text);
  });
  destination.write(lineOf(1));
  const closed = destination.close();
  await closed;
  text += read();
  assertAccounted(text, lines + 1, destination.lost);
});

test('close does not wait for a stopped reader', async (t) => {
  const { path } = pipe(t);
  const destination = new LogDestination({ target: path });
  for (let i = 0; i < 2_000; i++) destination.write(lineOf(i));
  await destination.close();
  assert.ok(destination.lost > 0);
  destination.write('too late\n');
  const { lost } = destination;
  destination.write('too late\n');
  assert.equal(destination.lost, lost + 1);
});

test('lines without a reader are lost; a later reader receives the next lines', async (t) => {
  const { path, close } = pipe(t);
  const reasons: string[] = [];
  const destination = new LogDestination({ target: path, report, onLost: (reason) => reasons.push(reason) });
  await destination.open();
  close();
  destination.write(lineOf(0));
  await until(() => destination.lost === 1);
  assert.deepEqual(reasons, ['EPIPE']);
  const reader = fs.openSync(path, O_RDONLY | O_NONBLOCK);
  t.after(() => fs.closeSync(reader));
  destination.write(lineOf(1));
  const octets = Buffer.alloc(1_000);
  let text = '';
  await until(() => {
    try {
      text += octets.toString('latin1', 0, fs.readSync(reader, octets));
    } catch {
      // The pipe is still empty.
    }
    return text.endsWith(lineOf(1));
  });
  await destination.close();
  assertAccounted(text, 2, 1);
});

test('lines of several writers to one pipe are not mixed', async (t) => {
  const { path, read } = pipe(t);
  const destinations = Array.from({ length: 3 }, () => new LogDestination({ target: path, report }));
  let text = '';
  for (let i = 0; i < 1_500; i++) {
    for (const destination of destinations) destination.write(lineOf(i));
    if (i % 20 === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      text += read();
    }
  }
  await until(() => {
    text += read();
    return text.split('\n').length === 4_501;
  });
  await Promise.all(destinations.map((destination) => destination.close()));
  assertAccounted(text, 4_500, 0);
});

test('a full device loses all lines', { skip: !fs.existsSync('/dev/full') }, async () => {
  const destination = new LogDestination({ target: '/dev/full', report });
  for (let i = 0; i < 100; i++) destination.write(lineOf(i));
  await until(() => destination.lost === 100);
  await destination.close();
});

/** A descriptor that writes at most `most` octets at a time. The writes whose indices are in `failing` fail with `code`. */
function faulty(
  code: string,
  failing: readonly number[],
  most: number,
  isAsynchronous: boolean,
): Descriptor & { text: string } {
  let writes = 0;
  const write = (octets: Buffer): number => {
    if (failing.includes(writes++)) throw Object.assign(new Error(`write ${code}`), { code });
    const count = Math.min(most, octets.length);
    descriptor.text += octets.toString('latin1', 0, count);
    return count;
  };
  const descriptor = {
    text: '',
    maxOctets: 4_096,
    close: () => {},
    write: isAsynchronous ? async (octets: Buffer) => write(octets) : write,
  };
  return descriptor;
}

for (const code of ['ENOSPC', 'EIO', 'EPIPE', 'EBADF', 'EDQUOT', 'EFBIG', 'EROFS', 'ESTALE', 'ENXIO', 'EFAULT'])
  for (const isAsynchronous of [true, false])
    test(`${code}, ${isAsynchronous ? 'from a thread' : 'synchronous'}: lines are lost, the write is retried after a second, the loss is reported`, async (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] });
      const descriptor = faulty(code, [2, 3], 30, isAsynchronous);
      const recovered: unknown[] = [];
      const destination = new LogDestination({
        target: descriptor,
        report,
        onRecovered: (losses) => recovered.push(losses),
      });
      for (let i = 0; i < 1_204; i++) destination.write('line 1 xxxxxxxxxxxxxxxxxxxxxxxxx\n');
      await until(() => destination.lost > 0);
      destination.write('line 2 x\n');
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(descriptor.text.length, 60, 'no write before one second has passed');
      t.mock.timers.tick(1_000);
      await until(() => destination.lost === 1_204);
      t.mock.timers.tick(999);
      destination.write('line 3 x\n');
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(descriptor.text.length, 60);
      t.mock.timers.tick(1);
      await until(() => descriptor.text.endsWith('line 3 x\n'));
      const [, cut, said] = descriptor.text.split('\n');
      assert.equal(cut, 'line 1 xxxxxxxxxxxxxxxxxxxx', 'a cut line is terminated');
      assert.equal(said, `1,204 log lines were lost (${code})`);
      assert.deepEqual(recovered, [{ lines: 1_204, reason: code }]);
      await destination.close();
    });

test('opening a file is retried; a moved file is reopened under its path', async (t) => {
  const folder = directory(t);
  const path = join(folder, 'logs', 'log');
  const notReopened: string[] = [];
  const destination = new LogDestination({ target: path, report, onNotReopened: (reason) => notReopened.push(reason) });
  await assert.rejects(destination.open(), { code: 'ENOENT' });
  fs.mkdirSync(join(folder, 'logs'));
  destination.write('line 1 x\n');
  await until(() => fs.existsSync(path) && fs.statSync(path).size > 0);
  fs.renameSync(path, `${path}.1`);
  destination.reopen();
  await until(() => fs.existsSync(path));
  destination.write('line 2 x\n');
  await until(() => fs.statSync(path).size > 0);
  fs.renameSync(join(folder, 'logs'), join(folder, 'moved'));
  destination.reopen();
  await until(() => notReopened.length > 0);
  destination.write('line 3 x\n');
  await destination.close();
  assert.deepEqual(notReopened, ['ENOENT']);
  assert.equal(fs.readFileSync(join(folder, 'moved', 'log'), 'utf8'), 'line 2 x\nline 3 x\n');
});
