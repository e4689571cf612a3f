/** A reporter for node:test. It writes the outcome of each test as one JSON line: outcome, name, file, reason, duration in ms. */
import { relative } from 'node:path';
import { inspect } from 'node:util';

export default async function* tally(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite') continue;
    const outcome =
      data.skip !== undefined ? 'skipped' : type === 'test:fail' && data.todo === undefined ? 'failed' : 'passed';
    const file = data.file === undefined ? '' : relative(process.cwd(), data.file);
    const reason = typeof data.skip === 'string' ? data.skip : failureOf(data.details?.error);
    yield `${JSON.stringify({ outcome, name: data.name, file, reason, ms: Math.round(data.details?.duration_ms ?? 0) })}\n`;
  }
}

/**
 * The first line of an error of node:test, and the actual value of a comparison, at most 300 characters. The error of the test itself is
 * its cause.
 */
function failureOf(error) {
  const own = error?.cause ?? error;
  const [line] = String(own?.message ?? own ?? '')
    .trim()
    .split('\n');
  const actual = own?.code === 'ERR_ASSERTION' && own.generatedMessage ? ` actual: ${inspect(own.actual)}` : '';
  return `${line}${actual}`.replace(/\s+/g, ' ').slice(0, 300);
}
