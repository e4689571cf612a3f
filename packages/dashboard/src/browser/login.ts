/** The page behind a login link: keeps the page key in the storage of this origin and goes on to the balancer-manager. */
import { byId, showIf } from './dom.js';
import { keepPageKey } from './page-key.js';

const key = document.querySelector<HTMLMetaElement>('meta[name="rollcall-page-key"]')?.content ?? '';
if (keepPageKey(key)) location.replace('/balancer-manager');
else
  showIf(
    byId('trouble'),
    'This browser lets the page keep nothing, so the login cannot be used. Allow site data for this address, then open a new login link.',
  );
