import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readableLine } from './readable-line.ts';

const TIME = new Date(2026, 10, 30, 9, 5, 7, 42).getTime();

test('a line has time, level, process and message, then the other fields', () => {
  const entry = {
    level: 40,
    time: TIME,
    pid: 1,
    hostname: 'a',
    name: 'control',
    code: 'ECONNREFUSED',
    n: 2,
    msg: 'cannot connect',
  };
  const line = readableLine(`${JSON.stringify(entry)}\n`);
  assert.equal(line, '09:05:07.042 warn control: cannot connect (code=ECONNREFUSED, n=2)\n');
});

test('the stack of an error follows in its own lines', () => {
  const entry = { level: 60, time: TIME, name: 'worker', err: { stack: 'Error: x\n    at y' }, msg: 'uncaught error' };
  assert.equal(readableLine(JSON.stringify(entry)), '09:05:07.042 fatal worker: uncaught error\nError: x\n    at y\n');
});

test('control characters of a text are replaced, and a line that is not JSON is unchanged', () => {
  const entry = { level: 30, time: TIME, name: 'control', agent: 'a\u001b[2Jb', msg: 'admin logged in' };
  assert.equal(readableLine(JSON.stringify(entry)), '09:05:07.042 info control: admin logged in (agent=a [2Jb)\n');
  assert.equal(readableLine('plain\n'), 'plain\n');
});

test('with colours the level is yellow for warnings and red for errors', () => {
  const line = (level: number): string =>
    readableLine(JSON.stringify({ level, time: TIME, name: 'control', msg: 'warn again' }), true);
  assert.equal(line(30), '09:05:07.042 info control: warn again\n');
  assert.equal(line(40), '09:05:07.042 \u001b[33mwarn\u001b[39m control: warn again\n');
  assert.equal(line(50), '09:05:07.042 \u001b[31merror\u001b[39m control: warn again\n');
});
