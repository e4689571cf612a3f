import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const MODULE = new URL('./one-cpu.ts', import.meta.url).href;

/** Priorities of the threads of a process with this number of CPUs, the serving thread first. */
function prioritiesWith(cpus: number): number[] {
  const program = `
    import { readdirSync } from 'node:fs';
    import os from 'node:os';
    const { yieldToServing } = await import(${JSON.stringify(MODULE)});
    yieldToServing(${cpus});
    const others = readdirSync('/proc/self/task').map(Number).filter((thread) => thread !== process.pid);
    console.log(JSON.stringify([process.pid, ...others].map((thread) => os.getPriority(thread))));`;
  const words = [
    ...process.execArgv.filter((word) => !word.startsWith('--test')),
    '--input-type=module',
    '-e',
    program,
  ];
  return JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' })) as number[];
}

void test('on one CPU the serving thread has priority over the threads of V8', {
  skip: process.platform !== 'linux',
}, () => {
  const [serving, ...others] = prioritiesWith(1);
  assert.ok(others.some((priority) => priority === 10));
  assert.equal(serving, prioritiesWith(2)[0]);
});

void test('on several CPUs priorities do not change', { skip: process.platform !== 'linux' }, () => {
  const [serving, ...others] = prioritiesWith(2);
  assert.ok(others.length > 0 && others.every((priority) => priority === serving));
});
