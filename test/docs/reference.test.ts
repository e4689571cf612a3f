/** The generated parts of packages/docs/reference are what the program is now. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
// A module without types.
const { currentPages } = (await import(new URL('../../.tools/reference.mjs', import.meta.url).href)) as {
  currentPages: () => Promise<ReadonlyMap<string, string>>;
};
/** Starts a coordinator, so it is called once. */
const pages = await currentPages();

test('the reference is current: UPDATE=1 writes it', () => {
  assert.ok(pages.size >= 5, `${pages.size} pages with generated parts`);
  for (const [path, text] of pages) {
    if (process.env['UPDATE']) writeFileSync(join(ROOT, path), text);
    assert.equal(readFileSync(join(ROOT, path), 'utf8'), text, `${path}: run it with UPDATE=1`);
  }
});

test('the reference has the commands, options, metrics, codes and endpoints that users look for', () => {
  const text = [...pages.values()].join('\n');
  for (const part of [
    '### rollcall up',
    '### rollcall token create',
    '--deadline <duration>',
    '`upstreamTimeout` (`ROLLCALL_UPSTREAM_TIMEOUT`)',
    '- `session-algorithm`:',
    '`rollcall_parked_requests` (gauge)',
    '`rollcall_node_sessions` (gauge, `node`, `balancer`)',
    '`rollcall_control_certificate_expiry_seconds`',
    '- `context-taken` (409, close 4409):',
    '`POST /v1/nodes/{id}/drain`',
  ])
    assert.ok(text.includes(part), `the reference lacks ${part}`);
});

test('the help of each option fits a terminal of 80 columns', () => {
  const options = (pages.get('packages/docs/reference/cli.md') ?? '')
    .split('\n')
    .filter((line) => /^ {2}-.*\S {2,}\S/.test(line));
  assert.ok(options.length > 100, `${options.length} options`);
  assert.deepEqual(
    options.filter((line) => line.length > 80),
    [],
    'a longer name of an option or of its value stops the wrapping',
  );
});
