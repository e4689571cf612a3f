/**
 * The page key of the login, in the storage of this origin. The browser sends the login cookie to every port of this host. It sends
 * the page key only with requests of these pages.
 */

const NAME = 'rollcall-page-key';

/** The request field with the page key; empty without a login. */
export function pageKeyField(): Readonly<Record<string, string>> {
  const key = kept();
  return key === null ? {} : { [NAME]: key };
}

/** Stores the page key. Returns false if the browser blocks storage. */
export function keepPageKey(key: string): boolean {
  try {
    localStorage.setItem(NAME, key);
    return true;
  } catch {
    return false;
  }
}

/** Removes the page key. */
export function forgetPageKey(): void {
  if (kept() !== null) localStorage.removeItem(NAME);
}

/** Whether a page key is stored; the login itself may have ended. */
export function hasPageKey(): boolean {
  return kept() !== null;
}

/** The stored page key, or `null`. Some browsers throw if storage is blocked. */
function kept(): string | null {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}
