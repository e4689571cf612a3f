/** Which settings of a balancer a change has changed, for events and the audit. Names are those of `rollcall balancer NAME set`. */
import { durationText, TIME_LIMITS, type TimeLimitKey } from '@rollcall/protocol';
import { isLimitName, limitPathOf } from './limit-settings.ts';

/** Changes that one text names. */
const MAX_NAMED = 8;
/** Longest text of one value, characters. */
const MAX_VALUE_LENGTH = 64;

/** Settings in force by dotted name, as `origins` names them. */
export type NamedSettings = Readonly<Record<string, unknown>>;

/** `retries 2 → 3, sticky insert → suffix`; `''` without a change. */
export function changesText(before: NamedSettings, after: NamedSettings): string {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changes: string[] = [];
  for (const name of names) {
    const [from, to] = [valueText(name, before[name]), valueText(name, after[name])];
    if (from !== to) changes.push(`${settingName(name)} ${shortened(from)} → ${shortened(to)}`);
  }
  const more = changes.length - MAX_NAMED;
  return `${changes.slice(0, MAX_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function settingName(name: string): string {
  if (isLimitName(name)) {
    const path = limitPathOf(name);
    const limit = TIME_LIMITS[name.slice(name.lastIndexOf('.') + 1) as TimeLimitKey].name;
    return path === undefined ? limit : `${path}:${limit}`;
  }
  if (name === 'sticky.mode') return 'sticky';
  const key = name
    .replace(/^sticky\.routeCookie\./, 'routeCookie-')
    .replace(/^sticky\./, '')
    .replace(/Ms$/, '');
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** A limit that is not set is that of the balancer or of the proxy. */
function valueText(name: string, value: unknown): string {
  if (value === undefined) return 'inherited';
  if (typeof value === 'number') return name.endsWith('Ms') ? durationText(value) : String(value);
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (Array.isArray(value)) return value.join(',') || 'none';
  if (typeof value === 'string') return value || 'unset';
  const { ends, afterMs } = value as { readonly ends: string; readonly afterMs?: number };
  return afterMs === undefined ? ends : `${ends}:${durationText(afterMs)}`;
}

function shortened(text: string): string {
  return text.length > MAX_VALUE_LENGTH ? `${text.slice(0, MAX_VALUE_LENGTH - 1)}…` : text;
}
