/** A program whose thread pool is full resolves the name of its coordinator, at its start and after a restart. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TYPESCRIPT } from '../site/commands.ts';
import { Site } from '../site/site.ts';

const PROGRAM = fileURLToPath(new URL('agent-programs/full-thread-pool.ts', import.meta.url));
/** The first look-up waits for its turn in the pool; later tries use what it has found. */
const AT_BOOT_MS = 30_000;
const AFTER_RESTART_MS = 10_000;

test('fourteen hashes at a time: registered at boot, and again after each restart of the coordinator', {
  timeout: 120_000,
}, async (t) => {
  const site = await Site.start(t);
  const url = new URL(site.controlUrl);
  url.hostname = 'localhost';
  const program = spawn(process.execPath, [...TYPESCRIPT, PROGRAM], {
    env: { ...process.env, ROLLCALL_URL: url.origin },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => program.kill('SIGKILL'));
  const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  /** Milliseconds until the next registration; no earlier warning may be about a slow look-up. */
  const registeredAfter = async (): Promise<number> => {
    const startMs = performance.now();
    for (;;) {
      const { value, done } = await lines.next();
      assert.ok(!done, 'the program has ended');
      if (value === 'registered') return performance.now() - startMs;
      t.diagnostic(String(value));
    }
  };
  const bootMs = await registeredAfter();
  assert.ok(bootMs < AT_BOOT_MS, `registered ${bootMs} ms after the start`);
  for (let restart = 0; restart < 2; restart += 1) {
    await (restart === 0 ? site.killControl() : site.restart());
    const afterMs = await registeredAfter();
    assert.ok(afterMs < AFTER_RESTART_MS, `registered ${afterMs} ms after the restart`);
  }
});
