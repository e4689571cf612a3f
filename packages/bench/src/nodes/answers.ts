/** Responses of the nodes, for both programs. */

/** Bodies by path. */
export interface Page {
  readonly path: string;
  readonly bodyBytes: number;
}

export const SMALL: Page = { path: '/', bodyBytes: 101 };
export const KIB: Page = { path: '/1k', bodyBytes: 1_024 };
export const KIB_64: Page = { path: '/64k', bodyBytes: 65_536 };
export const MIB: Page = { path: '/1m', bodyBytes: 1_048_576 };
export const PAGES: readonly Page[] = [SMALL, KIB, KIB_64, MIB];
/** Path that reads a request body and answers 204; `bare-node` only. */
export const UPLOAD_PATH = '/upload';
/** Path of a response in eight chunks; `bare-node` only. */
export const CHUNKED: Page = { path: '/chunked', bodyBytes: 8_192 };
/** Path of a WebSocket that answers each message; `bare-node` only. */
export const SOCKET_PATH = '/socket';

export function bodyOf({ bodyBytes }: Page): string {
  return `${'0123456789'.repeat(bodyBytes / 10 + 1).slice(0, bodyBytes - 1)}\n`;
}
