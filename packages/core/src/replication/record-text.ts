/** A shared record as the text that a store keeps. Other programs may have written there, so decoding never throws. */
import { MAX_KEY_LENGTH, MAX_VALUE_LENGTH, type Remaining, type SharedRecord, TIMERS } from './shared-record.ts';
import { isVersion, type Version } from './version.ts';

/** Greatest length of a text of `encodeRecord`, characters: value, versions and timers. */
export const MAX_RECORD_TEXT_LENGTH: number = MAX_VALUE_LENGTH + 384;

/**
 * JSON of version, value and remaining times; the key is not part of it. Throws a RangeError for a record that exceeds a bound, which is a
 * mistake of the caller.
 */
export function encodeRecord({ key, version, value, remaining, after }: SharedRecord): string {
  const refuse = (reason: string): never => {
    throw new RangeError(`the record ${JSON.stringify(key.slice(0, MAX_KEY_LENGTH))} ${reason}`);
  };
  if (key === '' || key.length > MAX_KEY_LENGTH)
    refuse(`has a key of ${key.length} characters: 1 to ${MAX_KEY_LENGTH}`);
  if (!isVersion(version)) refuse(`has the version ${JSON.stringify(version)}, which is none`);
  const json = JSON.stringify(value) as string | undefined;
  if (json === undefined) return refuse('has no value');
  if (json.length > MAX_VALUE_LENGTH) refuse(`has a value of ${json.length} characters: at most ${MAX_VALUE_LENGTH}`);
  if (!isRemaining(remaining)) refuse('has a remaining time that is not a number');
  const known = after === undefined ? '' : `,"after":${JSON.stringify(after)}`;
  return `{"version":${JSON.stringify(version)},"value":${json},"remaining":${JSON.stringify(remaining)}${known}}`;
}

/** The record of a text; `undefined` if it exceeds a bound or is no record. */
export function decodeRecord(key: string, text: string): SharedRecord | undefined {
  if (key === '' || key.length > MAX_KEY_LENGTH || text.length > MAX_RECORD_TEXT_LENGTH) return undefined;
  const { version, value, remaining, after } = parse(text);
  if (!isVersion(version) || value === undefined || !isRemaining(remaining)) return undefined;
  const known: Partial<Record<(typeof TIMERS)[number], number>> = {};
  for (const timer of TIMERS) if (remaining[timer] !== undefined) known[timer] = remaining[timer];
  return { key, version, value, remaining: known, ...(isVersion(after) && { after }) };
}

/** `MS COORDINATOR`. */
export function encodeVersion([ms, coordinator]: Version): string {
  return `${ms} ${coordinator}`;
}

/** The version of a text; `undefined` if it is none. */
export function decodeVersion(text: string): Version | undefined {
  const [, ms, coordinator] = /^([1-9][0-9]{0,15}) ([0-9a-f]{1,32})$/.exec(text) ?? [];
  const version = [Number(ms), coordinator];
  return isVersion(version) ? version : undefined;
}

function isRemaining(value: unknown): value is Remaining {
  if (typeof value !== 'object' || value === null) return false;
  return TIMERS.every((timer) => {
    const ms = (value as Remaining)[timer];
    return ms === undefined || Number.isFinite(ms);
  });
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}
