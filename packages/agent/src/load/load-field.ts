/** Response field that tells the proxy how busy the node is. PROTOCOL.md section 6. */
export const LOAD_FIELD = 'rollcall-load';

/** Counts above this say no more, and would make the field too long. */
const MAX_COUNT = 999_999_999_999;
const MAX_SERVICE_MS = 86_400_000;

/** What the field says of the node as of its last sample. */
export interface LoadFieldNumbers {
  /** 0 idle … 1 full. */
  readonly utilisation: number;
  /** Active sessions; `undefined` when the application does not know. */
  readonly sessions: number | undefined;
}

/**
 * The field as a line of a response head. It is written with every answer, so what is as of the last sample is put
 * together when the node is sampled, and in-flight only when it is another than before.
 */
export class LoadField {
  #end = '';
  #inFlight = Number.NaN;
  #begin = '';

  /** Takes over the numbers of a sample; what is not known stays empty. */
  update({ utilisation, sessions }: LoadFieldNumbers): void {
    this.#end = `;${thousandths(utilisation, 1)};${sessions === undefined ? '' : whole(sessions)}\r\n`;
  }

  /**
   * `rollcall-load: 3;12.500;0.420;14` and the end of the line, at most 64 bytes; empty before the first sample.
   * `serviceMs`, milliseconds of work for this answer, is NaN when it is not known.
   */
  line(inFlight: number, serviceMs: number): string {
    if (this.#end === '') return '';
    if (inFlight !== this.#inFlight) {
      this.#inFlight = inFlight;
      this.#begin = `${LOAD_FIELD}: ${whole(inFlight)};`;
    }
    if (Number.isNaN(serviceMs)) return this.#begin + this.#end;
    return this.#begin + thousandths(serviceMs, MAX_SERVICE_MS) + this.#end;
  }
}

function clamped(value: number, max: number): number {
  return value > 0 ? Math.min(max, value) : 0;
}

/** Digits, never an exponent. */
function whole(count: number): string {
  return String(Math.floor(clamped(count, MAX_COUNT)));
}

/** `.000` to `.999`. */
const FRACTIONS: readonly string[] = Array.from({ length: 1_000 }, (_, i) => `.${String(i).padStart(3, '0')}`);

/** Digits and three decimals, never an exponent. A tenth of what the decimals of a floating-point number cost. */
function thousandths(value: number, max: number): string {
  const rounded = Math.round(clamped(value, max) * 1_000);
  const whole = Math.floor(rounded / 1_000);
  return whole + FRACTIONS[rounded - whole * 1_000]!;
}
