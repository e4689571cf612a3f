/** Adds a line to the head of a response when it is sent, for all ways of writing a head. */
import type { ServerResponse } from 'node:http';

/** Called by node:http for each response head: set by name, as an object, as a list, or implicit. */
type StoreHeader = (this: ServerResponse, statusLine: string, fields: unknown) => void;

/**
 * Returns a function that registers `onHead` for a response. When its head is sent, the result of `onHead` is inserted
 * after the status line. The function returns false for a response without a suitable `_storeHeader`.
 *
 * All ways of writing a head call `_storeHeader`. The method is undocumented. Where it is missing (responses of HTTP/2) or
 * has other parameters, nothing is added. Alternative: `setHeader` in a wrapped `writeHead` costs several times as much, and
 * breaks lists of pairs.
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

/** Sets a field by `setHeader`, for responses without `_storeHeader`. Has no effect after the head was sent. */
export function setField(response: ServerResponse, name: string, value: string): void {
  try {
    response.setHeader(name, value);
  } catch {
    // The head was sent, or the stream has ended: the response has no proof, and the application gets no exception.
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
