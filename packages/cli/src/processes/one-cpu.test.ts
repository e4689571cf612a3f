import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const MODULE = new URL('./one-cpu.ts', import.meta.url).href;

/** Priorities of the threads of a process that was told how many CPUs it has, the serving one first. */
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

void test('on one CPU the serving thread goes before those of V8', { skip: process.platform !== 'linux' }, () => {
  const [serving, ...others] = prioritiesWith(1);
  assert.ok(others.some((priority) => priority === 10));
  assert.equal(serving, prioritiesWith(2)[0]);
});

void test('on several CPUs nothing is different', { skip: process.platform !== 'linux' }, () => {
  const [serving, ...others] = prioritiesWith(2);
  assert.ok(others.length > 0 && others.every((priority) => priority === serving));
});
