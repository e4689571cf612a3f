import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const MODULE = new URL('./timers.ts', import.meta.url).href;

test('timers run when a test runner has replaced the global ones', () => {
  // In a process of its own, because other code uses the global timers. As in Jest's jsdom: a number instead of an object with
  // unref(), and timers do not run.
  const script = `
    import assert from 'node:assert/strict';
    const { systemTimers } = await import(${JSON.stringify(MODULE)});
    let calls = 0;
    globalThis.setTimeout = () => { calls += 1; return 1; };
    await new Promise((resolve) => systemTimers().after(1, resolve, { keepsProcess: true }));
    systemTimers().after(60_000, () => assert.fail('not cancelled'))();
    assert.equal(calls, 0);`;
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--test'));
  execFileSync(process.execPath, [...flags, '--input-type=module', '-e', script], { stdio: 'pipe' });
});
