/**
 * The key of the login, kept in the storage of this origin. The login cookie goes with requests to any port of this host; the key
 * goes only where these pages send it.
 */

const NAME = 'rollcall-page-key';

/** The request field with the key, or none without a login. */
export function pageKeyField(): Readonly<Record<string, string>> {
  const key = kept();
  return key === null ? {} : { [NAME]: key };
}

/** True when the browser has kept it. */
export function keepPageKey(key: string): boolean {
  try {
    localStorage.setItem(NAME, key);
    return true;
  } catch {
    return false;
  }
}

export function forgetPageKey(): void {
  if (kept() !== null) localStorage.removeItem(NAME);
}

/** True when this origin keeps a key; the login itself may have ended. */
export function hasPageKey(): boolean {
  return kept() !== null;
}

/** Some browsers throw where storage is blocked. */
function kept(): string | null {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}
