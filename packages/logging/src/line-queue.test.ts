import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineQueue, type Losses } from './line-queue.ts';

const REPORT = ({ lines, reason }: Losses): string => `# ${lines} lost (${reason})\n`;

/** Writes all lines, at most `most` octets at a time. After `room` octets a write fails with ENOSPC. */
function write(queue: LineQueue, most: number, room = Number.POSITIVE_INFINITY): string {
  let text = '';
  for (;;) {
    const octets = queue.next(most);
    if (octets === undefined) return text;
    const count = Math.min(octets.length, room - text.length);
    if (count === 0) {
      queue.fail('ENOSPC');
      return text;
    }
    text += octets.toString('utf8', 0, count);
    queue.advance(count);
  }
}

test('lines are written in order and unsplit, whatever the size of a write', () => {
  const lines = ['one\n', 'two\nthree\n', `${'x'.repeat(50)}\n`, 'four\n', 'fünf\n'];
  for (let most = 1; most <= 60; most++) {
    const queue = new LineQueue({ maxLength: 1_000 });
    for (const line of lines) assert.ok(queue.add(line, 'full'));
    const writes: string[] = [];
    for (let octets = queue.next(most); octets !== undefined; octets = queue.next(most)) {
      writes.push(octets.toString());
      queue.advance(octets.length);
    }
    assert.equal(writes.join(''), lines.join(''));
    for (const text of writes) {
      assert.match(text, /\n$/);
      assert.ok(Buffer.byteLength(text) <= most || text.indexOf('\n') === text.length - 1, `${most}: ${text}`);
    }
  }
});

test('lines that do not fit are lost, counted, and reported before the next lines', () => {
  const queue = new LineQueue({ maxLength: 10, report: REPORT });
  assert.ok(queue.add('12345\n', 'slow'));
  assert.ok(!queue.add('a\nb\nc\n', 'slow'));
  assert.ok(queue.add('6\n', 'slow'));
  assert.equal(queue.lost, 3);
  assert.equal(write(queue, 100), '# 3 lost (slow)\n12345\n6\n');
  assert.equal(queue.isEmpty, true);
  queue.add('7\n', 'slow');
  assert.equal(write(queue, 100), '7\n', 'a report is written once');
});

test('wherever a write fails, every line is written, reported as lost, or cut and terminated', () => {
  const lines = Array.from({ length: 9 }, (_, i) => `line ${i}\n`);
  const all = lines.join('');
  for (let first = 0; first <= all.length; first++)
    for (const second of [0, 1, 2, 5, 20]) {
      const queue = new LineQueue({ maxLength: 1_000, report: REPORT });
      for (const line of lines) queue.add(line, 'full');
      const writes = [write(queue, 16, first)];
      queue.add('later\n', 'full');
      writes.push(write(queue, 16, second));
      queue.add('last\n', 'full');
      writes.push(write(queue, 16));
      const text = writes.join('');
      const outputLines = text.split('\n').slice(0, -1);
      const reported = outputLines
        .map((line) => /^# (\d+) lost \(ENOSPC\)$/.exec(line))
        .reduce((sum, match) => sum + Number(match?.[1] ?? 0), 0);
      const written = outputLines.filter((line) => /^(?:line \d|later|last)$/.test(line)).length;
      const where = `cut after ${first} and ${second}: ${JSON.stringify(text)}`;
      assert.equal(outputLines.at(-1), 'last', where);
      assert.equal(reported, queue.lost, where);
      // A line that lost only its line end is counted as lost, although its text is complete.
      const halves = outputLines.filter((line) => /^(?:l|li|lin|line|line |la|lat|late)$/.test(line)).length;
      assert.ok(written + reported >= 11 && written + reported <= 13, where);
      assert.ok(halves <= 2, where);
    }
});

test('losses without a report are returned once, by the next successful write', () => {
  const queue = new LineQueue({ maxLength: 1_000 });
  queue.add('1\n2\n', 'full');
  assert.ok(queue.next(100));
  queue.fail('EIO');
  assert.equal(queue.isEmpty, true, 'no line is left to write');
  queue.add('3\n4\n', 'full');
  assert.equal(queue.next(2)?.toString(), '3\n');
  assert.deepEqual(queue.advance(1), { lines: 2, reason: 'EIO' });
  assert.equal(queue.advance(1), undefined);
  assert.equal(queue.advance(2), undefined);
  assert.equal(queue.isEmpty, true);
});

test('losses during the write of a report are in the next report', () => {
  const queue = new LineQueue({ maxLength: 4, report: REPORT });
  queue.add('too long\n', 'slow');
  const report = queue.next(100)!;
  queue.add('too long too\nand this\n', 'slow');
  queue.advance(report.length);
  assert.equal(write(queue, 100), '# 2 lost (slow)\n');
  assert.equal(queue.lost, 3);
});

test('a report that cannot be written is written later and includes later losses', () => {
  const queue = new LineQueue({ maxLength: 100, report: REPORT });
  queue.add('1\n', 'full');
  assert.equal(write(queue, 100, 0), '');
  queue.add('2\n3\n', 'full');
  assert.equal(write(queue, 100, 4), '# 1 ');
  queue.add('4\n', 'full');
  assert.equal(write(queue, 100), '\n# 3 lost (ENOSPC)\n4\n');
});

test('abandoned lines count as lost', () => {
  const queue = new LineQueue({ maxLength: 100 });
  queue.add('1\n2\n', 'full');
  queue.next(2);
  queue.advance(2);
  queue.add('3\n', 'full');
  queue.abandon('closed');
  assert.equal(queue.lost, 2);
  assert.equal(queue.isEmpty, true);
});
