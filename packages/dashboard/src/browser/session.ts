/** The button "Log out". */
import { post, Refused, tellFailure } from './admin-api.js';
import { byId } from './dom.js';
import { forgetPageKey, hasPageKey } from './page-key.js';

/** Shows the button if this browser has a page key. A click ends the login and reloads the page. */
export function offerLogout(): void {
  const button = byId<HTMLButtonElement>('logout');
  button.hidden = !hasPageKey();
  button.addEventListener('click', () => void logOut());
}

async function logOut(): Promise<void> {
  try {
    await post('/v1/logout', {});
  } catch (error) {
    // 401 and 409: the login has ended already.
    if (!(error instanceof Refused && (error.status === 401 || error.status === 409))) {
      tellFailure(error);
      return;
    }
  }
  forgetPageKey();
  location.reload();
}
