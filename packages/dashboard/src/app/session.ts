/** Login and logout of this browser. */

import { AdminProblem } from '@rollcall/admin-client';
import { LOGIN_PATH } from '../model/login-code.ts';
import { call } from './admin-call.ts';
import { forgetPageKey, keepPageKey } from './page-key.ts';
import { show } from './state.ts';

/** Ends the login and reloads the page. */
export async function logOut(): Promise<void> {
  try {
    await call('POST', '/v1/logout', {});
  } catch (error) {
    // 401 and 409: the login has ended already.
    if (!(error instanceof AdminProblem && (error.status === 401 || error.status === 409))) {
      show(`Not logged out: ${String(error)}`, true);
      return;
    }
  }
  forgetPageKey();
  location.reload();
}

/** Logs in with the code of a login link, or with an admin token, and reloads the page. Throws an error with a text for people. */
export async function logIn({ code, token }: { readonly code?: string; readonly token?: string }): Promise<void> {
  const redeemed = code ?? (await newCode(token!));
  const response = await fetch(`${LOGIN_PATH}?code=${encodeURIComponent(redeemed)}`, { credentials: 'same-origin' });
  const text = await response.text();
  const [, key] = /<meta name="rollcall-page-key" content="([A-Za-z0-9_-]+)">/.exec(text) ?? [];
  if (!response.ok || key === undefined)
    throw new Error('this link has been used or is older than 1 h; `rollcall logins --link` prints a new one');
  if (!keepPageKey(key)) throw new Error('this browser blocks site data; allow site data for this address');
  location.reload();
}

/** Exchanges an admin token for the code of a new login link. The token is sent once and not stored. */
async function newCode(token: string): Promise<string> {
  const { url } = await call<{ readonly url: string }>(
    'POST',
    '/v1/login-link',
    {},
    { authorization: `Bearer ${token}` },
  );
  return new URL(url).searchParams.get('code') ?? '';
}
