import type { ResponseEdits } from './response-head.ts';

/** Edits that change nothing of a response. */
export const NO_EDITS: ResponseEdits = {
  publicOrigin: '',
  prefix: '',
  target: '/',
  rewriteCookies: [],
  rewriteRoute: '',
  prefixAt: () => undefined,
};
