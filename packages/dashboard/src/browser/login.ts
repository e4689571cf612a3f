/** The page behind a login link: stores the page key in the storage of this origin and opens the balancer-manager. */
import { byId, showIf } from './dom.js';
import { keepPageKey } from './page-key.js';

const key = document.querySelector<HTMLMetaElement>('meta[name="rollcall-page-key"]')?.content ?? '';
if (keepPageKey(key)) location.replace('/balancer-manager');
else
  showIf(
    byId('trouble'),
    'Cannot log in: this browser blocks site data. Allow site data for this address, then open a new login link.',
  );
