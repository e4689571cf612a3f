/**
 * Fault drills of two coordinators with a real Redis. Those of two releases also start processes of earlier commits. Each has the built `rollcall` command, nodes with sessions, and a client at each
 * proxy, in a private network. Prints one table.
 *
 * FAULT_DRILLS=all: all drills, as `npm run test:faults`. Default: those of `.ci/run`, about four minutes.
 * FAULTS: play only drills whose name contains this. FAULTS_KEEP=1: keep the logs. ROLLCALL_UNDER_TEST: root of another checkout, built.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findRedisServer, HOW_TO_INSTALL } from '@rollcall/store-redis/testing';
import { missingForSandbox, startSandboxed } from '../sandbox.ts';
import { DRILLS } from './drills.ts';
import { EARLIER, type EarlierName, earlierBuild, missingForEarlierBuilds } from './earlier-build.ts';
import { findFakeClock, type Roots } from './pair.ts';
import type { CoordinatorDrill } from './plan.ts';
import { tableOf } from './table.ts';
import type { DrillVerdict } from './verdict.ts';

/** Drills at once: each is eleven processes that wait most of the time. */
const AT_ONCE = 4;
/** Start-up, the longest schedule, and what a request may wait. */
const DRILL_MS = 300_000;

const root = process.env['ROLLCALL_UNDER_TEST'] ?? fileURLToPath(new URL('../../..', import.meta.url));
const isWhole = process.env['FAULT_DRILLS'] === 'all' || process.env['FAULTS'] !== undefined;
const wanted = DRILLS.filter(
  ({ name, isShort }) => (isWhole || isShort === true) && name.includes(process.env['FAULTS'] ?? ''),
);
const earlierMissing = wanted.some((plan) => earlierOf(plan).length > 0) ? await missingForEarlierBuilds() : undefined;
const missing = missingForSandbox() ?? (findRedisServer() === undefined ? HOW_TO_INSTALL : undefined);

if (missing !== undefined) test('faults of coordinators', { skip: missing });
else
  describe('faults of coordinators', { concurrency: AT_ONCE }, () => {
    const verdicts = new Map<string, DrillVerdict>();
    after(() => console.log(tableOf(verdicts)));
    for (const plan of wanted) {
      const { name, isNegativeControl } = plan;
      const skip = missingFor(plan) ?? false;
      test(name, { timeout: DRILL_MS, skip }, async (t) => {
        assert.ok(existsSync(join(root, 'packages/cli/dist')), `${root} is not built: npm run build`);
        const dir = mkdtempSync(join(tmpdir(), 'rollcall-coordinators-'));
        const roots = JSON.stringify(await rootsFor(plan));
        const drill = startSandboxed('coordinators/drill.ts', [name, roots, dir]);
        t.after(async () => {
          await drill.close();
          if (process.env['FAULTS_KEEP'] === '1') t.diagnostic(`logs of ${name} are in ${dir}`);
          else rmSync(dir, { recursive: true, force: true });
        });
        const { code, stdout, stderr } = await drill.ended;
        assert.equal(code, 0, `the drill ended with ${code}: ${stderr}`);
        if (process.env['FAULTS_KEEP'] === '1') console.log(`${name}:\n${stderr}`);
        const verdict = JSON.parse(stdout) as DrillVerdict;
        verdicts.set(name, verdict);
        if (isNegativeControl) assert.notDeepEqual(verdict.complaints, []);
        else assert.deepEqual(verdict.complaints, []);
      });
    }
  });

/** Earlier builds that a drill starts. */
function earlierOf({ starts, faults, early = [] }: CoordinatorDrill): EarlierName[] {
  const needsRelease =
    starts === 'release' || faults.some((fault) => fault.type === 'restart' && fault.as === 'release');
  return [...(needsRelease ? (['release'] as const) : []), ...(early.length > 0 ? (['agent'] as const) : [])];
}

function missingFor(plan: CoordinatorDrill): string | undefined {
  if (plan.needsFakeClock && findFakeClock() === undefined)
    return 'libfaketime was not found: install the Debian package libfaketime';
  return earlierOf(plan).length > 0 ? earlierMissing : undefined;
}

async function rootsFor(plan: CoordinatorDrill): Promise<Roots> {
  const built = await Promise.all(
    earlierOf(plan).map(async (name) => [name, await earlierBuild(EARLIER[name])] as const),
  );
  return { current: root, ...Object.fromEntries(built) };
}
