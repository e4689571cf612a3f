/** Scores of the judged cases, and the reasons for remaining differences. */
import { readFileSync } from 'node:fs';
import { bag, type HttpCase, text } from './http-case.ts';

/** Outcome of one case. */
export interface Verdict {
  /** Codes of everything that is not as expected; empty when all is well. */
  readonly fails: readonly string[];
  /** Behaviour of the proxy where the RFC leaves the choice. */
  readonly choice: 'forward' | 'reject';
}

/** One grade's cases: how many pass the gate, keep to the letter, and made the choice that the case prefers. */
export interface Score {
  cases: number;
  gate: number;
  strict: number;
  policy: number;
}

/** A case that did not end as its strict expectation or its preferred choice has it. */
export interface Difference {
  readonly id: string;
  readonly grade: string;
  readonly name: string;
  /** The difference: failure codes, or the choice that was not the preferred one. */
  readonly what: string;
}

/** Codes of `fails` that fail the gate. */
export function unforgiven(one: HttpCase, fails: readonly string[]): readonly string[] {
  const codes = fails.map((fail) => fail.replace(/=[\s\S]*$/, '').trim());
  if (one.tolerated.includes('reject') && codes.some((code) => /^(?:reject|close|502)/.test(code))) return [];
  return codes.filter((code) => !one.tolerated.includes(code));
}

/** Scores by grade, in the order of grades, and every difference in the order of cases. */
export function score(
  cases: readonly HttpCase[],
  verdicts: ReadonlyMap<string, Verdict>,
): { readonly grades: ReadonlyMap<string, Score>; readonly differences: readonly Difference[] } {
  const grades = new Map<string, Score>();
  const differences: Difference[] = [];
  for (const one of [...cases].sort((a, b) => a.grade.localeCompare(b.grade))) {
    const { id, grade, name } = one;
    const { fails, choice } = verdicts.get(id) ?? { fails: ['not played'], choice: 'reject' };
    const prefers = one.expect['prefer'];
    const isPreferred = prefers === undefined || prefers === choice;
    const row = grades.get(grade) ?? { cases: 0, gate: 0, strict: 0, policy: 0 };
    grades.set(grade, row);
    row.cases++;
    if (unforgiven(one, fails).length === 0) row.gate++;
    if (fails.length === 0) row.strict++;
    if (fails.length === 0 && isPreferred) row.policy++;
    if (fails.length > 0) differences.push({ id, grade, name, what: fails.join('; ') });
    else if (!isPreferred)
      differences.push({
        id,
        grade,
        name,
        what: `${choice === 'reject' ? 'refused' : 'forwarded'}, where ${prefers} is preferred`,
      });
  }
  return { grades, differences };
}

/** Reasons for differences, by case id: `differences.json`, and for nodes with AJP `ajp-differences.json`. */
export function reasons(name = 'differences.json'): ReadonlyMap<string, string> {
  const file = bag(JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')), 'file');
  return new Map(Object.keys(file).map((id) => [id, text(file, id)]));
}
