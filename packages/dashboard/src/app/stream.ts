/** Follows the cluster over `GET /v1/watch`. A stream on which nothing arrives is lost, and opened again. */
import { api, errorMessage, isLoginNeeded } from './admin-call.ts';
import { take } from './state.ts';

/** The coordinator sends something every two seconds, milliseconds. */
const SILENCE_MS = 5_000;
/** Time between two connections, milliseconds. */
const RETRY_MS = 1_000;

export async function followCluster(): Promise<never> {
  let lastEventId: string | undefined;
  for (;;) {
    lastEventId = await followOnce(lastEventId);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** One connection; resolves with the id of its last event. */
async function followOnce(resumeAfter: string | undefined): Promise<string | undefined> {
  const silence = new AbortController();
  let lastEventId = resumeAfter;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new DOMException('silence', 'TimeoutError')), SILENCE_MS);
  };
  wait();
  try {
    const events = api.stream(
      'watchCluster',
      {},
      { signal: silence.signal, ...(resumeAfter !== undefined && { lastEventId: resumeAfter }) },
    );
    for await (const { id, ...event } of events) {
      wait();
      lastEventId = id;
      take(
        event.event === 'snapshot' ? { type: 'snapshot', snapshot: event.data } : { type: 'delta', patch: event.data },
      );
    }
    take({ type: 'lost', why: 'the coordinator has closed the connection' });
  } catch (error) {
    take({ type: isLoginNeeded(error) ? 'refused' : 'lost', why: errorMessage(error) });
  } finally {
    clearTimeout(timer);
  }
  return lastEventId;
}
