/** Response field that tells the proxy how busy the node is. PROTOCOL.md section 6. */
export const LOAD_FIELD = 'rollcall-load';

/** Counts above this say no more, and would make the field too long. */
const MAX_COUNT = 999_999_999_999;
const MAX_SERVICE_MS = 86_400_000;

/** What the field says besides in-flight. */
export interface LoadFieldNumbers {
  /** Milliseconds of work per request; `undefined` while not measured. */
  readonly serviceMs: number | undefined;
  /** 0 idle … 1 full. */
  readonly utilisation: number;
  /** Active sessions; `undefined` when the application does not know. */
  readonly sessions: number | undefined;
}

/**
 * The field as a line of a response head. It is written with every answer, so nearly all of it is put together when the
 * node is sampled; only in-flight is as of the answer.
 */
export class LoadField {
  #end = '';
  #inFlight = Number.NaN;
  #line = '';

  /** Takes over the numbers of a sample; what is not known stays empty. */
  update({ serviceMs, utilisation, sessions }: LoadFieldNumbers): void {
    const service = serviceMs === undefined ? '' : thousandths(serviceMs, MAX_SERVICE_MS);
    const told = sessions === undefined ? '' : whole(sessions);
    this.#end = `;${service};${thousandths(utilisation, 1)};${told}\r\n`;
    this.#inFlight = Number.NaN;
  }

  /** `rollcall-load: 3;12.5;0.42;14` and the end of the line, at most 64 bytes; empty before the first sample. */
  line(inFlight: number): string {
    if (this.#end === '') return '';
    if (inFlight !== this.#inFlight) {
      this.#inFlight = inFlight;
      this.#line = `${LOAD_FIELD}: ${whole(inFlight)}${this.#end}`;
    }
    return this.#line;
  }
}

function clamped(value: number, max: number): number {
  return value > 0 ? Math.min(max, value) : 0;
}

/** Digits, never an exponent. */
function whole(count: number): string {
  return String(Math.floor(clamped(count, MAX_COUNT)));
}

/** Digits and at most three decimals, never an exponent. */
function thousandths(value: number, max: number): string {
  return String(Math.round(clamped(value, max) * 1_000) / 1_000);
}
