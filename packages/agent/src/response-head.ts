/** Adds a line to the head of a response when it is sent, however the application writes it. */
import type { ServerResponse } from 'node:http';

/** What node:http calls for each response head, whether it was written by name, as an object, a list or not at all. */
type StoreHeader = (this: ServerResponse, statusLine: string, fields: unknown) => void;

/**
 * Returns what makes a response call `onHead` when its head goes out; the line that returns is put behind the status
 * line. False for a response that cannot be watched.
 *
 * `_storeHeader` is where all ways of writing a head come together. It is not documented; where it is missing (the
 * responses of HTTP/2) or takes something else nothing is added. `setHeader` in a `writeHead` of our own costs several
 * times as much, and sends lists of fields another way through Node, on which pairs are not understood.
 */
export function headWatch<Response extends ServerResponse>(
  onHead: (response: Response) => string,
): (response: Response) => boolean {
  let original: unknown;
  let watched: StoreHeader | undefined;
  return (response) => {
    const target = response as unknown as { _storeHeader?: unknown };
    if (target._storeHeader !== original) {
      original = target._storeHeader;
      watched = isStoreHeader(original) ? withLine(original, onHead) : undefined;
    }
    if (watched === undefined) return false;
    target._storeHeader = watched;
    return true;
  };
}

/** The documented way, for responses that cannot be watched. A response whose head was sent already stays as it is. */
export function setField(response: ServerResponse, name: string, value: string): void {
  try {
    response.setHeader(name, value);
  } catch {
    // The head was sent, or the stream has ended: the probe gets no proof, the application no exception.
  }
}

function isStoreHeader(value: unknown): value is StoreHeader {
  return typeof value === 'function' && value.length === 2;
}

function withLine<Response extends ServerResponse>(
  store: StoreHeader,
  onHead: (response: Response) => string,
): StoreHeader {
  return function (this: ServerResponse, statusLine, fields) {
    store.call(this, statusLine + onHead(this as Response), fields);
  };
}
