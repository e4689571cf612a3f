/**
 * Fault tests: the built `rollcall` command and real processes, in a private network for each scenario (`sandbox.ts`).
 * Prints one line of figures for each scenario.
 *
 * ROLLCALL_UNDER_TEST: root of another checkout to test, built. FAULTS: play only scenarios whose name contains this.
 * FAULTS_KEEP=1: keep the logs.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DrillReport } from './drill.ts';
import { missingForSandbox, startSandboxed } from './sandbox.ts';
import { SCENARIOS } from './scenarios/scenarios.ts';

/** Scenarios at once: each is nine processes that wait most of the time. */
const AT_ONCE = 7;
/** Start-up, the longest schedule, and what a request may wait. */
const SCENARIO_MS = 480_000;

const root = process.env['ROLLCALL_UNDER_TEST'] ?? fileURLToPath(new URL('../..', import.meta.url));
const wanted = SCENARIOS.filter(({ name }) => name.includes(process.env['FAULTS'] ?? ''));
const missing = missingForSandbox();

if (missing !== undefined) test('faults', { skip: missing });
else
  describe('faults', { concurrency: AT_ONCE }, () => {
    for (const { name, isNegativeControl } of wanted)
      test(name, { timeout: SCENARIO_MS }, async (t) => {
        assert.ok(existsSync(join(root, 'packages/cli/dist')), `${root} is not built: npm run build`);
        const dir = mkdtempSync(join(tmpdir(), 'rollcall-faults-'));
        const drill = startSandboxed('drill.ts', [name, root, dir]);
        t.after(async () => {
          await drill.close();
          if (process.env['FAULTS_KEEP'] === '1') t.diagnostic(`logs are in ${dir}`);
          else rmSync(dir, { recursive: true, force: true });
        });
        const { code, stdout, stderr } = await drill.ended;
        assert.equal(code, 0, `the drill ended with ${code}: ${stderr}`);
        const { figures, complaints } = JSON.parse(stdout) as DrillReport;
        console.log(`${name}: ${figures}; ${complaints.join('; ') || 'as expected'}`);
        if (isNegativeControl) assert.notDeepEqual(complaints, []);
        else assert.deepEqual(complaints, []);
      });
  });
