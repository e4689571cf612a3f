/** The address of the page, its commands and requests, and its top line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestsOf } from './act-requests.ts';
import { actOf, commandsIn } from './commands.ts';
import { NOTHING_YET, next } from './live.ts';
import { GROUPINGS, HOME, hrefOf, placeOf, SORTS, VIEWS } from './place.ts';
import { aNode, aSnapshot } from './snapshot.fixture.ts';
import { verdictLine } from './verdict-line.ts';

test('a place survives its URL', () => {
  for (const view of VIEWS)
    for (const sort of SORTS)
      for (const grouping of GROUPINGS)
        for (const query of ['', 'b2 ejected v1.4', 'ä&q=<x>#?']) {
          const place = { ...HOME, view, sort, grouping, query, isDescending: query !== '', node: 'n-1' };
          const url = new URL(hrefOf(place), 'http://h');
          assert.deepEqual(placeOf(url.pathname, url.search), place);
        }
});

test('commands are found in remedies, and the page does the ones that it has', () => {
  assert.deepEqual(commandsIn('enable one (rollcall enable wiki-1), or start another'), ['rollcall enable wiki-1']);
  assert.deepEqual(actOf('rollcall enable --balancer shop'), { verb: 'enable', target: { balancer: 'shop' } });
  assert.equal(actOf('rollcall run -- PROGRAM'), undefined);
});

test('an act is one request for each target, with what was chosen', () => {
  const act = { verb: 'drain', target: { nodes: ['a', 'b'] } } as const;
  const [one, two] = requestsOf(act, { reason: 'update', deadlineMs: 5, isForced: true });
  assert.deepEqual(one, {
    method: 'POST',
    path: '/v1/nodes/a/drain',
    body: { reason: 'update', deadlineMs: 5, force: true },
  });
  assert.equal(two?.path, '/v1/nodes/b/drain');
  assert.deepEqual(requestsOf({ verb: 'remove', target: { nodes: ['a'] } }, { isDryRun: true })[0], {
    method: 'DELETE',
    path: '/v1/nodes/a',
    body: { dryRun: true },
  });
});

test('the top line is the verdict, or the age of the figures when the coordinator does not answer', () => {
  assert.equal(verdictLine(NOTHING_YET, 0, true).word, 'Connecting');
  const live = next(NOTHING_YET, { type: 'snapshot', snapshot: aSnapshot({ a: aNode() }) }, 1_000_000);
  const well = verdictLine(live, 1_000_000, true);
  assert.deepEqual([well.tone, well.text], ['good', '1 of 1 node up, 0 requests/s']);
  const lost = verdictLine(next(live, { type: 'lost', why: '' }, 1_006_000), 1_006_000, true);
  assert.match(lost.text, /^The coordinator does not answer; .* as of 00:16:40 UTC, 6 s ago\.$/);
});
