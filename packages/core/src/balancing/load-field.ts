/** A node's report on itself beside an answer. NaN stands for a missing number. */
export interface LoadField {
  /** Requests it is serving. */
  readonly inFlight: number;
  /** Busy milliseconds per request. */
  readonly serviceMs: number;
  /** 0 idle … 1 full. */
  readonly load: number;
  /** Active sessions. */
  readonly sessions: number;
}

const MAX_LENGTH = 64;
/** Digits before, and behind the point. */
const MAX_DIGITS = 12;
const VALUES = 4;

/**
 * Reads a `rollcall-load` response field, `<in-flight>;<service ms>;<utilisation>;<sessions>`, into `into`; false when
 * it is anything else, and `into` stays unchanged. An empty number is unknown; utilisation above 1 is clamped to 1.
 *
 * One comes with every answer of such a node, so it is read octet by octet and allocates nothing.
 */
export function readLoadField(text: string, into: { -readonly [K in keyof LoadField]: number }): boolean {
  if (text.length > MAX_LENGTH || !readNumbers(text)) return false;
  into.inFlight = numbers[0]!;
  into.serviceMs = numbers[1]!;
  into.load = Math.min(1, numbers[2]!);
  into.sessions = Math.floor(numbers[3]!);
  return true;
}

/** The numbers of the text that is being read. */
const numbers = new Float64Array(VALUES);

/** True when `text` is four numbers between semicolons; they are in `numbers` then. */
function readNumbers(text: string): boolean {
  let at = 0;
  for (let i = 0; i < VALUES; i++) {
    at = skipBlanks(text, at);
    const whole = digitsFrom(text, at);
    let end = whole;
    if (text.charCodeAt(whole) === POINT) {
      end = digitsFrom(text, whole + 1);
      if (whole === at || end === whole + 1) return false;
    }
    numbers[i] = whole === at ? Number.NaN : decimal(text, at, whole, end);
    at = skipBlanks(text, end);
    if (i < VALUES - 1 && text.charCodeAt(at++) !== SEMICOLON) return false;
  }
  return at === text.length;
}

const POINT = 0x2e;
const SEMICOLON = 0x3b;
const ZERO = 0x30;

/** End of the digits that begin at `at`; `at` itself when there are none, or too many. */
function digitsFrom(text: string, at: number): number {
  let end = at;
  while (end < text.length && text.charCodeAt(end) >= ZERO && text.charCodeAt(end) <= ZERO + 9) end++;
  return end - at > MAX_DIGITS ? at : end;
}

function decimal(text: string, from: number, point: number, end: number): number {
  const whole = integer(text, from, point);
  return end === point ? whole : whole + integer(text, point + 1, end) / 10 ** (end - point - 1);
}

function integer(text: string, from: number, end: number): number {
  let value = 0;
  for (let i = from; i < end; i++) value = value * 10 + text.charCodeAt(i) - ZERO;
  return value;
}

function skipBlanks(text: string, at: number): number {
  let end = at;
  while (text.charCodeAt(end) === 0x20 || text.charCodeAt(end) === 0x09) end++;
  return end;
}
