/** The copies of a balancer and the causes of failing ones, for people. */
import type { CopiesResource, FailingCopyResource } from './admin.ts';

/** Upper bound of the causes that one text names. */
const MAX_NAMED = 3;

/** `6 up, 1 drained by an operator, 2 not up yet, 1 failing`. The numbers add up to `wanted`. */
export function copiesCounts({ wanted, up, drained, failing }: CopiesResource): string {
  const left = wanted - up - drained - failing.length;
  return [
    `${up} up`,
    ...(drained > 0 ? [`${drained} drained by an operator`] : []),
    ...(left > 0 ? [`${left} not up yet`] : []),
    ...(failing.length > 0 ? [`${failing.length} failing`] : []),
  ].join(', ');
}

/** The same with the causes: `… 1 failing: copy 9: port 34104 is taken`. */
export function copiesText(copies: CopiesResource): string {
  const { failing } = copies;
  return `${copiesCounts(copies)}${failing.length > 0 ? `: ${failingText(failing)}` : ''}`;
}

/** `copies 7, 8 at web1: the program has ended with 1; copy 9 at web1: …; and 1 more`. Copies with one cause are named together. */
export function failingText(failing: readonly FailingCopyResource[]): string {
  const byCause = new Map<string, FailingCopyResource[]>();
  for (const one of failing) {
    const key = `${one.host} ${one.cause}`;
    byCause.set(key, [...(byCause.get(key) ?? []), one]);
  }
  const causes = [...byCause.values()];
  const named = causes.slice(0, MAX_NAMED).map((copies) => {
    const { host, cause } = copies[0]!;
    const numbers = copies.map(({ copy }) => copy).join(', ');
    return `${copies.length === 1 ? 'copy' : 'copies'} ${numbers}${host === undefined ? '' : ` at ${host}`}: ${cause}`;
  });
  const more = causes.slice(MAX_NAMED).flat().length;
  return `${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
