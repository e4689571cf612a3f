import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventsOf, type StreamEvent } from './event-stream.ts';

/** The events of a body that arrives in these pieces. */
async function read(...pieces: readonly Uint8Array[]): Promise<StreamEvent[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  const events: StreamEvent[] = [];
  for await (const event of eventsOf(body)) events.push(event);
  return events;
}

const TEXT = [
  ': comment',
  '',
  'data: plain',
  '',
  'id: 7',
  'event: delta',
  'data: first',
  'data:second',
  '',
  'retry: 10',
  'event: nothing',
  '',
  'data: keeps the id — é',
  '',
  'data: not complete',
  '',
];
const EVENTS: readonly StreamEvent[] = [
  { event: 'message', id: '', data: 'plain' },
  { event: 'delta', id: '7', data: 'first\nsecond' },
  { event: 'message', id: '7', data: 'keeps the id — é' },
];

for (const [name, end] of [
  ['LF', '\n'],
  ['CRLF', '\r\n'],
  ['CR', '\r'],
] as const)
  test(`events with ${name} as the end of a line, in one piece and octet by octet`, async () => {
    const octets = new TextEncoder().encode(TEXT.join(end));
    assert.deepEqual(await read(octets), EVENTS);
    assert.deepEqual(await read(...Array.from(octets, (octet) => Uint8Array.of(octet))), EVENTS);
  });

test('a reader that stops early cancels the body', async () => {
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('data: x\n\n')),
    cancel: () => {
      isCancelled = true;
    },
  });
  for await (const _ of eventsOf(body)) break;
  assert.ok(isCancelled);
});
