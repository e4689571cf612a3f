import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CoordinatorResource } from '@rollcall/protocol';
import { AnnouncedCoordinators, MIN_CHANGE_MS } from './announced-coordinators.ts';

const OWN = 'ws://10.0.0.5:8400';

function coordinator(
  url: string | undefined,
  liveness: CoordinatorResource['liveness'] = 'running',
): CoordinatorResource {
  return { id: 'a', name: 'a', release: '0', isOwn: false, liveness, ...(url !== undefined && { url }) };
}

for (const [title, own, coordinators, urls] of [
  ['alone without an address: none', undefined, [], []],
  ['alone', OWN, [], [OWN]],
  ['the others without an own address', undefined, [coordinator('ws://b'), coordinator(undefined)], ['ws://b']],
  [
    'sorted, and each once in any spelling',
    OWN,
    [coordinator('ws://b:8400'), coordinator(`${OWN}/`), coordinator('wss://a'), coordinator('ws://b')],
    [OWN, 'ws://b', 'wss://a'],
  ],
  ['one that is down stays', OWN, [coordinator('ws://b', 'down')], [OWN, 'ws://b']],
  [
    'at most five: the own one, then running coordinators',
    OWN,
    [...'ghij'].map((name) => coordinator(`ws://${name}`)).concat(coordinator('ws://a', 'down'), coordinator('ws://k')),
    [OWN, 'ws://g', 'ws://h', 'ws://i', 'ws://j'],
  ],
  [
    'the own address has a place although a coordinator that is down has it too',
    OWN,
    [...[...'ghijk'].map((name) => coordinator(`ws://${name}`)), coordinator(OWN, 'down')],
    [OWN, 'ws://g', 'ws://h', 'ws://i', 'ws://j'],
  ],
] as const)
  test(`announced coordinators: ${title}`, () => {
    const announced = new AnnouncedCoordinators(own);
    announced.take(coordinators, 0);
    assert.deepEqual(announced.urls, urls);
  });

test('a list that changes too soon after another change is taken later', () => {
  const announced = new AnnouncedCoordinators(OWN);
  assert.equal(announced.take([], 0), false);
  assert.equal(announced.take([coordinator('ws://b')], 1), true);
  assert.equal(announced.take([coordinator('ws://b')], 2), false);
  assert.equal(announced.take([], MIN_CHANGE_MS), false);
  assert.deepEqual(announced.urls, [OWN, 'ws://b']);
  assert.equal(announced.take([], MIN_CHANGE_MS + 1), true);
  assert.deepEqual(announced.urls, [OWN]);
});
