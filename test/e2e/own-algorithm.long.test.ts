import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Site, until } from '../site/site.ts';

/** All requests to the node with the last, or the first, id. */
function pickBy(order: 'first' | 'last'): string {
  return `export default () => ({
    pick(candidates, request, tried) {
      const free = candidates.filter(({ id }) => !tried.has(id)).sort((one, other) => (one.id < other.id ? -1 : 1));
      return free${order === 'first' ? '[0]' : '.at(-1)'};
    },
  });`;
}

test('a custom algorithm places sessions, is chosen by name, and is read again by a reload', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-own-'));
  t.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'mine.mjs'), pickBy('last'));
  const site = await Site.start(t, { directory, flags: ['--session-algorithm', './mine.mjs'] });
  for (const id of ['a', 'b', 'c'])
    await site.addNode(id, { balancer: 'shop' }, (_request, response) => response.end(id));
  const places = async (): Promise<string> => {
    const seen = new Set<string>();
    for (let i = 0; i < 6; i++) seen.add(await (await fetch(`http://127.0.0.1:${site.proxyPort}/`)).text());
    return [...seen].sort().join('');
  };
  assert.equal((await site.balancer('shop')).sessionAlgorithm, 'mine');
  assert.equal(await places(), 'c');

  assert.equal((await site.cli('balancer', 'shop', 'set', 'session-algorithm=round-robin')).code, 0);
  await site.isCurrent();
  assert.equal(await places(), 'abc');
  const unknown = await site.cli('balancer', 'shop', 'set', 'session-algorithm=yours');
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /there is no algorithm yours; there are .*, mine/);
  assert.equal((await site.cli('balancer', 'shop', 'set', 'session-algorithm=mine')).code, 0);
  await site.isCurrent();
  assert.equal(await places(), 'c');

  writeFileSync(join(directory, 'mine.mjs'), 'export default 7;');
  const refused = await site.cli('reload');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /mine\.mjs has no function as its default export/);
  assert.equal(await places(), 'c');
  writeFileSync(join(directory, 'mine.mjs'), pickBy('first'));
  assert.equal((await site.cli('reload')).code, 0);
  await until(async () => (await places()) === 'a', 'the new file is not used');
});
