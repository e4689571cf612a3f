import { randomBytes } from 'node:crypto';
import { isRequestId, type RequestHead } from '../http1/request-head.ts';

/** Ids for requests that came without one: unique among all engines, counted within one. */
export class RequestIds {
  readonly #prefix = `${randomBytes(6).toString('hex')}-`;
  #made = 0;

  /** The id that the request came with, if it may be forwarded; otherwise a new one. */
  of({ requestId }: Pick<RequestHead, 'requestId'>): string {
    return isRequestId(requestId) ? requestId : this.next();
  }

  next(): string {
    return this.#prefix + (++this.#made).toString(36);
  }
}
