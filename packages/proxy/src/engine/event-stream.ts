import type { ResponseHead } from '../http1/response-head.ts';

const EVENT_STREAM = /^content-type:[ \t]*text\/event-stream/im;

/** True for an answer that may be silent for a long time. */
export function isEventStream({ forwarded }: ResponseHead): boolean {
  return EVENT_STREAM.test(forwarded);
}
