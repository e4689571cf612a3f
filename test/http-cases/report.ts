/**
 * `npm run http-cases`: plays every case against an engine and prints the results, by grade, with every difference that is
 * left and its reason. Ends with 1 when a case fails the gate or a difference has no reason. `-- REGEX` plays those whose
 * id matches; `-- --octet-by-octet` sends every part of up to a thousand octets one at a time.
 */
import { parseArgs } from 'node:util';
import { allCases, type HttpCase, type Part } from './http-case.ts';
import { openLane } from './lanes.ts';
import { playCases } from './play-cases.ts';
import { reasons, score, unforgiven } from './scores.ts';

const MAX_SINGLE_OCTETS = 1_000;

function octetByOctet(one: HttpCase): HttpCase {
  const apart = (parts: readonly Part[]): Part[] =>
    parts.map((part) =>
      part.type === 'octets' && part.octets.length <= MAX_SINGLE_OCTETS
        ? { type: 'dribble', octets: part.octets, gapMs: 0 }
        : part,
    );
  return one.kind === 'request' ? { ...one, send: apart(one.send) } : { ...one, answer: apart(one.answer) };
}

const { values, positionals } = parseArgs({
  options: { 'octet-by-octet': { type: 'boolean', default: false } },
  allowPositionals: true,
});
const pattern = new RegExp(positionals[0] ?? '');
const cases = allCases()
  .filter(({ id }) => pattern.test(id))
  .map((one) => (values['octet-by-octet'] ? octetByOctet(one) : one));
const beganMs = performance.now();
const verdicts = await playCases(cases, openLane);
const { grades, differences } = score(cases, verdicts);
const row = (...cells: readonly (string | number)[]): string => cells.map((cell) => String(cell).padStart(8)).join('');
console.log(row('grade', 'cases', 'gate', 'strict', 'policy'));
for (const [grade, { cases: count, gate, strict, policy }] of grades)
  console.log(row(grade, count, gate, strict, policy));
console.log('\ngate: what no trusted server does either; strict: the letter of the RFC, or our own secure default;');
console.log('policy: strict, and where the RFC leaves the choice the one that the case prefers\n');
const why = reasons();
let unexplained = 0;
for (const { id, grade, name, what } of differences) {
  const reason = why.get(id);
  if (reason === undefined) unexplained++;
  console.log(`${id} (${grade}) ${name}: ${what}\n    ${reason ?? 'NO REASON GIVEN'}`);
}
const failed = cases.filter((one) => unforgiven(one, verdicts.get(one.id)?.fails ?? ['not played']).length > 0);
const seconds = ((performance.now() - beganMs) / 1_000).toFixed(1);
console.log(
  `\n${cases.length} cases in ${seconds} s: ${failed.length} fail the gate, ${differences.length} differences, ${unexplained} without a reason`,
);
process.exitCode = failed.length + unexplained > 0 ? 1 : 0;
