import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { Guard } from './guard.ts';

const MODULE = new URL('./guard.ts', import.meta.url).href;
const skip = process.platform === 'win32';

/** A program in a process group of its own. */
function program(): ChildProcess {
  return spawn(process.execPath, ['-e', "console.log('up');setInterval(() => {}, 1000)"], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a guard that is dismissed ends, and the program stays', { skip }, async () => {
  const child = program();
  await once(child.stdout!, 'data');
  const guard = new Guard();
  guard.watch(child.pid!);
  await guard.dismiss();
  await guard.dismiss();
  assert.ok(isRunning(child.pid!));
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('the guard ends the program when its wrapper is killed', { skip, timeout: 60_000 }, async () => {
  const script = `
    const { Guard } = await import(${JSON.stringify(MODULE)});
    const { spawn } = await import('node:child_process');
    const guard = new Guard();
    const child = spawn(process.execPath, ['-e', "console.log(process.pid);setInterval(() => {}, 1000)"], {
      detached: true,
      stdio: 'inherit',
    });
    guard.watch(child.pid);`;
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--test'));
  const wrapper = spawn(process.execPath, [...flags, '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [octets] = (await once(wrapper.stdout!, 'data')) as [Buffer];
  const pid = Number(octets.toString());
  assert.ok(isRunning(pid));
  const closed = once(wrapper, 'close');
  wrapper.kill('SIGKILL');
  // The program has the same output as its wrapper, so the output ends with the program.
  await closed;
});
