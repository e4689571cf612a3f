/** What a user pastes to log in: a login link, its code, or an admin token. */

export const LOGIN_PATH = '/login';

/** The code of a login link, or the text as a token; `undefined` for an empty text. */
export function loginProof(pasted: string): { readonly code?: string; readonly token?: string } | undefined {
  const text = pasted.trim();
  if (text === '') return undefined;
  const [, code] = /[?&]code=([A-Za-z0-9_-]+)/.exec(text) ?? [];
  return code === undefined ? { token: text } : { code };
}
