/** The page behind a login link: stores the page key in the storage of this origin and opens the balancer-manager. */
import { keepPageKey } from './page-key.ts';

const key = document.querySelector<HTMLMetaElement>('meta[name="rollcall-page-key"]')?.content ?? '';
const trouble = document.getElementById('trouble');
if (keepPageKey(key)) location.replace('/balancer-manager');
else if (trouble) {
  trouble.textContent =
    'Cannot log in: this browser blocks site data. Allow site data for this address, then open a new login link.';
  trouble.hidden = false;
}
