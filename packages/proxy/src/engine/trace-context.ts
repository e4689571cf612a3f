/**
 * `traceparent` of W3C Trace Context, level 1. A valid field of a client is forwarded unchanged. For requests without a valid one a proxy
 * may make one, which begins a trace. The proxy reports no spans.
 */
import { randomFillSync } from 'node:crypto';
import { fieldValue, withoutFields } from '../http1/field-rules.ts';

/** Octets of a trace id and a span id. */
const ID_OCTETS = 24;
const TRACE_OCTETS = 16;
/** Ids for which random octets are drawn at once: a draw costs more than an id. */
const POOLED = 128;
/** Version 00, and later versions, which may have more parts. Version ff and ids of zeros are invalid. */
const VALID = /^(?!ff)([\da-f]{2})-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(-.*)?$/;
const MAX_LENGTH = 512;
const FIELDS: ReadonlySet<string> = new Set(['traceparent', 'tracestate']);

/** The `traceparent` of a request; `''` without a valid one. */
export function traceparentOf(fields: string): string {
  const value = fieldValue(fields, 'traceparent');
  if (value === '' || value.length > MAX_LENGTH) return '';
  const match = VALID.exec(value);
  return match === null || (match[1] === '00' && match[2] !== undefined) ? '' : value;
}

export class TraceContext {
  readonly #octets = Buffer.allocUnsafe(POOLED * ID_OCTETS);
  #next = POOLED;

  /**
   * The field to add to a request; `''` if it has a valid one. Otherwise its own fields are removed. The flag `sampled` is set: programs
   * whose sampler follows the parent would record nothing without it.
   */
  begin(head: { forwarded: string }): string {
    const { forwarded } = head;
    if (traceparentOf(forwarded) !== '') return '';
    if (fieldValue(forwarded, 'traceparent') !== '' || fieldValue(forwarded, 'tracestate') !== '')
      head.forwarded = withoutFields(forwarded, FIELDS);
    return this.#made();
  }

  #made(): string {
    if (this.#next === POOLED) {
      randomFillSync(this.#octets);
      this.#next = 0;
    }
    const start = this.#next++ * ID_OCTETS;
    // An id of zeros is invalid, and as likely as any other one.
    this.#octets[start] = this.#octets[start]! | 1;
    this.#octets[start + TRACE_OCTETS] = this.#octets[start + TRACE_OCTETS]! | 1;
    const text = this.#octets.toString('hex', start, start + ID_OCTETS);
    return `00-${text.slice(0, 2 * TRACE_OCTETS)}-${text.slice(2 * TRACE_OCTETS)}-01`;
  }
}
