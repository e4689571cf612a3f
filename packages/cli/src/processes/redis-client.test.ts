/** The client of Redis is loaded only for an address of Redis: it takes as long as the start of a short command. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

/** Number of loaded modules of ioredis after the program, in a process of its own. */
function loadedAfter(program: string): number {
  const text = `
    import { createRequire } from 'node:module';
    ${program}
    console.log(Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('ioredis')).length);
    process.exit();`;
  const words = [...process.execArgv.filter((word) => !word.startsWith('--test')), '--input-type=module', '-e', text];
  return Number(execFileSync(process.execPath, words, { encoding: 'utf8' }));
}

const importOf = (path: string): string => `await import(${JSON.stringify(new URL(path, import.meta.url).href)});`;

test('up and the control process without Redis do not load the client of Redis', () => {
  const store = `const { openSharedStore } = await import('@rollcall/coordinator');
    await openSharedStore('memory', { onProblem() {} });`;
  assert.equal(loadedAfter(importOf('../commands/up.ts') + importOf('./run-control.ts') + store), 0);
});

test('the control process loads it for an address of Redis', () => {
  const store = `const { openSharedStore } = await import('@rollcall/coordinator');
    await openSharedStore('redis://127.0.0.1:1', { onProblem() {} });`;
  assert.ok(loadedAfter(store) > 0);
});
