/** No process outlives its supervisor, whenever and however that ends. All moments are in the long test beside this. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Ending, endUp, silentStore } from './starting-up.ts';

const CASES: readonly (Ending & { readonly hasSilentStore?: boolean })[] = [
  { signal: 'SIGKILL', moment: { after: 'first child', ms: 0 } },
  { signal: 'SIGKILL', moment: { after: 'second child', ms: 600 }, hasSilentStore: true },
  { signal: 'SIGKILL', moment: { after: 'ready', ms: 0 }, flags: ['--workers', '2', '--static', '/files=.'] },
  { signal: 'SIGTERM', moment: { after: 'first child', ms: 0 } },
  { signal: 'SIGINT', moment: { after: 'second child', ms: 600 }, hasSilentStore: true },
];

for (const { hasSilentStore = false, flags = [], ...ending } of CASES) {
  const { after, ms } = ending.moment;
  const store = hasSilentStore ? ', with a store that is silent' : '';
  test(`${ending.signal} ${ms} ms after ${after}${store} leaves nothing behind`, async (t) => {
    const more = hasSilentStore ? ['--store', await silentStore(t)] : [];
    const ended = await endUp(t, { ...ending, flags: [...flags, ...more] });
    t.diagnostic(`command ${Math.round(ended.tookMs)} ms, group ${Math.round(ended.groupMs)} ms`);
    assert.ok(ended.children > 0, 'it had no children yet');
    if (ending.signal === 'SIGKILL') return;
    assert.deepEqual([ended.code, ended.hasLock], [0, false], ended.log);
    assert.doesNotMatch(ended.log, /restarting it|Error/);
  });
}
