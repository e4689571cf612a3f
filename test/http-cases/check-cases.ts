/** Plays cases and fails for each that has no reason. Gate: a failure that no trusted server's behaviour excuses. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { HttpCase } from './http-case.ts';
import { score, unforgiven, type Verdict } from './scores.ts';

/** With more unexpected differences than this the machine is not the cause. */
const MAX_AGAIN = 10;

export interface Reasons {
  /** For each difference, by case id. */
  readonly why: ReadonlyMap<string, string>;
  /** Those of a protocol that lacks what the cases want. They may fail the gate. Default: none. */
  readonly byNature?: ReadonlyMap<string, string>;
}

/** `play` returns the verdicts, by case id. */
export async function checkCases(
  context: TestContext,
  cases: readonly HttpCase[],
  { why: own, byNature = new Map() }: Reasons,
  play: (cases: readonly HttpCase[], lanes?: number) => Promise<Map<string, Verdict>>,
): Promise<void> {
  const why = new Map([...own, ...byNature]);
  const fails = (one: HttpCase): readonly string[] => verdicts.get(one.id)?.fails ?? ['not played'];
  const failsGate = (one: HttpCase): boolean => !byNature.has(one.id) && unforgiven(one, fails(one)).length > 0;
  const isForged = (one: HttpCase): boolean => fails(one).some((fail) => fail === 'CANARY' || fail === 'POISONED');
  const verdicts = await play(cases);
  // Time limits of the cases are seconds, and the machine may be busy. A case that failed beside the others runs once more by itself,
  // except for a forged request or answer.
  const unexpected = cases.filter((one) => failsGate(one) || (fails(one).length > 0 && !why.has(one.id)));
  if (unexpected.length <= MAX_AGAIN) {
    const again = unexpected.filter((one) => !isForged(one));
    for (const [id, verdict] of await play(again, 1)) {
      const [before, after] = [verdicts.get(id)?.fails.join('; '), verdict.fails.join('; ')];
      context.diagnostic(`again: ${id}: ${before} → ${after || 'passed'}`);
      verdicts.set(id, verdict);
    }
  }
  const { grades, differences } = score(cases, verdicts);
  for (const [grade, row] of grades) context.diagnostic(`grade ${grade}: ${JSON.stringify(row)}`);

  assert.deepEqual(
    cases.filter(isForged).map(({ id }) => id),
    [],
    'a smuggled request reached a node, or an answer was taken for another one',
  );
  const failed = cases.filter(failsGate);
  assert.deepEqual(
    failed.map(({ id }) => id),
    [],
    'the gate',
  );
  const lines = (ids: readonly string[]): string[] => ids.map((id) => `${id}: ${why.get(id) ?? 'no reason'}`).sort();
  assert.deepEqual(
    differences.filter(({ id }) => !why.has(id)),
    [],
    'differences without a reason',
  );
  assert.deepEqual(lines(differences.map(({ id }) => id)), lines([...why.keys()]), 'reasons for what does not differ');
}
