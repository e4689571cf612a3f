/** What a node says of itself beside an answer. */
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
const NUMBER = /^[0-9]{1,12}(?:\.[0-9]{1,12})?$/;

/**
 * Reads a `rollcall-load` response field, `<in-flight>;<service ms>;<utilisation>;<sessions>`; `undefined` when it is
 * anything else. Utilisation above 1 is clamped to 1.
 */
export function parseLoadField(text: string): LoadField | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const parts = text.split(';').map((part) => part.trim());
  if (parts.length !== 4 || !parts.every((part) => NUMBER.test(part))) return undefined;
  const [inFlight, serviceMs, load, sessions] = parts.map(Number) as [number, number, number, number];
  return { inFlight, serviceMs, load: Math.min(1, load), sessions: Math.floor(sessions) };
}
