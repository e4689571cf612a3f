/** The announcement of a coordinator as the text that a store keeps. Other programs may have written there, so decoding never throws. */
import { parseAnnouncedUrl } from '@rollcall/protocol';
import { type Announcement, type DrainUse, MAX_NODES_IN_USE, type NodeUse, type Point } from './shared-store.ts';
import { isCoordinatorId } from './version.ts';

const MAX_NAME_LENGTH = 128;
const MAX_RELEASE_LENGTH = 64;
const MAX_EPOCH_LENGTH = 64;
/** Greatest length of a text, characters: names and numbers with room for escapes. */
const MAX_TEXT_LENGTH = 8_192;

/** JSON of an announcement. Throws a RangeError if a field exceeds a bound, which is a mistake of the caller. */
export function encodeAnnouncement(announcement: Announcement): string {
  const { coordinator, name, release, url, layout, counter, seen, use } = announcement;
  const point = { epoch: seen.epoch, change: seen.change };
  const known = {
    coordinator,
    name,
    release,
    ...(url !== undefined && { url }),
    layout,
    counter,
    seen: point,
    ...(use !== undefined && { use }),
  };
  if (!isAnnouncement(known) || (url !== undefined && !isUrl(url)))
    throw new RangeError(`not an announcement: ${JSON.stringify(known).slice(0, 300)}`);
  return JSON.stringify(known);
}

/** The announcement of a text, without an invalid URL; `undefined` if it is none, or not that of `coordinator`. */
export function decodeAnnouncement(coordinator: string, text: string): Announcement | undefined {
  if (text.length > MAX_TEXT_LENGTH) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isAnnouncement(parsed) || parsed.coordinator !== coordinator) return undefined;
  const { url, ...rest } = parsed;
  return isUrl(url) ? parsed : rest;
}

function isAnnouncement(value: unknown): value is Announcement {
  const { coordinator, name, release, layout, counter, seen, use } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return (
    isCoordinatorId(coordinator) &&
    isText(name, MAX_NAME_LENGTH) &&
    isText(release, MAX_RELEASE_LENGTH) &&
    // They are printed to terminals.
    !/[\p{C}\p{Zl}\p{Zp}]/u.test(name + release) &&
    isCount(layout) &&
    isCount(counter) &&
    isPoint(seen) &&
    (use === undefined || isDrainUse(use))
  );
}

function isUrl(url: unknown): boolean {
  return typeof url === 'string' && parseAnnouncedUrl(url) !== undefined;
}

function isDrainUse(value: unknown): value is DrainUse {
  const { nodes, isWhole } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof isWhole !== 'boolean' || typeof nodes !== 'object' || nodes === null) return false;
  const uses = Object.values(nodes);
  return uses.length <= MAX_NODES_IN_USE && uses.every(isNodeUse);
}

function isNodeUse(value: unknown): value is NodeUse {
  return value === null || (Array.isArray(value) && value.length === 4 && value.every(isCount));
}

function isPoint(value: unknown): value is Point {
  const { epoch, change } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return isText(epoch, MAX_EPOCH_LENGTH) && isCount(change);
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length <= maxLength;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
