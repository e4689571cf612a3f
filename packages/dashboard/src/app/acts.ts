/** Sends acts: first as a dry run for the preview, then for real, and undoes them. */
import type { WriteResult } from '@rollcall/protocol';
import { type ActChoices, type ActRequest, requestsOf } from '../model/act-requests.ts';
import type { Act } from '../model/commands.ts';
import { plural } from '../model/figures.ts';
import { call, errorMessage } from './admin-call.ts';
import { selected, show } from './state.ts';

/** Requests at the same time. */
const AT_ONCE = 4;

/** A write that can be undone has an id. */
type Written = WriteResult & { readonly changeId?: string };

/** Results of the dry runs. Throws the first refusal. */
export async function preview(act: Act): Promise<readonly WriteResult[]> {
  return sendAll(requestsOf(act, { isDryRun: true, ...(act.deadlineMs && { deadlineMs: act.deadlineMs }) }));
}

/** Carries the act out and shows the outcome. Throws if the coordinator refuses all of it. */
export async function carryOut(act: Act, choices: ActChoices): Promise<void> {
  const requests = requestsOf(act, choices);
  const failures: string[] = [];
  const written: Written[] = [];
  await inParallel(requests, async (request) => {
    try {
      written.push(await send(request));
    } catch (error) {
      failures.push(errorMessage(error));
    }
  });
  if (written.length === 0) throw new Error(failures[0] ?? 'nothing was sent');
  selected.value = new Set();
  const changes = written.flatMap(({ changeId }) => (changeId === undefined ? [] : [changeId]));
  const [first] = written as [Written];
  const done = written.length === 1 ? first.message : `${act.verb}: ${plural(written.length, 'node')}`;
  const note = first.note === undefined ? '' : `. ${first.note}`;
  const refused = failures.length === 0 ? '' : `; ${failures.length} refused: ${failures[0]}`;
  show(`${done}${refused}${note}`, failures.length > 0, changes);
}

/** Undoes changes, the last one first, and shows the outcome. */
export async function undo(changes: readonly string[]): Promise<void> {
  try {
    let message = '';
    for (const changeId of changes.toReversed())
      message = (await call<Written>('POST', '/v1/undo', { changeId })).message;
    show(changes.length === 1 ? message : `undone: ${plural(changes.length, 'change')}`);
  } catch (error) {
    show(`Not undone: ${errorMessage(error)}`, true);
  }
}

async function sendAll(requests: readonly ActRequest[]): Promise<Written[]> {
  const results: Written[] = [];
  await inParallel(requests, async (request) => void results.push(await send(request)));
  return results;
}

function send({ method, path, body }: ActRequest): Promise<Written> {
  return call<Written>(method, path, body);
}

async function inParallel<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}
