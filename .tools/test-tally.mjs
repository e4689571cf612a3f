/** A reporter for node:test that tells what became of each test as one JSON line, for the count at the end. */
import { relative } from 'node:path';

export default async function* tally(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite') continue;
    const outcome =
      data.skip !== undefined ? 'skipped' : type === 'test:fail' && data.todo === undefined ? 'failed' : 'passed';
    const file = data.file === undefined ? '' : relative(process.cwd(), data.file);
    const reason = typeof data.skip === 'string' ? data.skip : '';
    yield `${JSON.stringify({ outcome, name: data.name, file, reason, ms: Math.round(data.details?.duration_ms ?? 0) })}\n`;
  }
}
