/** Response field with the load of the node for the proxy. PROTOCOL.md section 6. */
export const LOAD_FIELD = 'rollcall-load';

/** Largest count: bounds the length of the field. */
const MAX_COUNT = 999_999_999_999;
const MAX_SERVICE_MS = 86_400_000;

/** Numbers of the last sample in the field. */
export interface LoadFieldNumbers {
  /** 0 idle … 1 full. */
  readonly utilisation: number;
  /** Active sessions; `undefined` if unknown. */
  readonly sessions: number | undefined;
}

/**
 * The field as a line of a response head. It is written for each response. Therefore the numbers of a sample are formatted
 * once per sample, and in-flight only when it changes.
 */
export class LoadField {
  #end = '';
  #inFlight = Number.NaN;
  #begin = '';

  /** Sets the numbers of a sample. An unknown number is empty in the field. */
  update({ utilisation, sessions }: LoadFieldNumbers): void {
    this.#end = `;${thousandths(utilisation, 1)};${sessions === undefined ? '' : whole(sessions)}\r\n`;
  }

  /**
   * Returns `rollcall-load: 3;12.500;0.420;14` with a line end, at most 64 bytes; empty before the first sample.
   * `serviceMs`: service time of this response, in milliseconds, NaN if unknown.
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

/** Digits and three decimals, never an exponent. Costs a tenth of formatting a floating-point number. */
function thousandths(value: number, max: number): string {
  const rounded = Math.round(clamped(value, max) * 1_000);
  const whole = Math.floor(rounded / 1_000);
  return whole + FRACTIONS[rounded - whole * 1_000]!;
}
