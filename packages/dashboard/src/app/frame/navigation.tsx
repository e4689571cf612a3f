/** Links to the views, the clock, and the login. */
import { hrefOf, type View } from '../../model/place.ts';
import { timeText } from '../../model/times.ts';
import { hasPageKey } from '../page-key.ts';
import { logOut } from '../session.ts';
import { canAct, clusterMs, dialog, go, isUtc, place } from '../state.ts';

const LINKS: readonly (readonly [View, string])[] = [
  ['cluster', 'Cluster'],
  ['drains', 'Drains'],
  ['events', 'Events'],
  ['requests', 'Requests'],
];

export function Navigation() {
  const { view } = place.value;
  return (
    <nav class="bar" aria-label="Views">
      <h1 class="brand">Rollcall</h1>
      {LINKS.map(([name, text]) => (
        <a
          key={name}
          href={hrefOf({ ...place.value, view: name })}
          aria-current={view === name ? 'page' : undefined}
          onClick={(click) => {
            click.preventDefault();
            go({ view: name });
          }}
        >
          {text}
        </a>
      ))}
      <span class="bar-end">
        <button type="button" class="plain clock" title="Switch between local time and UTC" onClick={switchZone}>
          {timeText(clusterMs.value, isUtc.value)}
        </button>
        <button type="button" class="plain" title="Keys" aria-label="Keys" onClick={openHelp}>
          ?
        </button>
        {canAct.value || hasPageKey() ? (
          <button type="button" class="plain" onClick={() => void logOut()}>
            Log out
          </button>
        ) : (
          <button type="button" onClick={openLogin}>
            Log in
          </button>
        )}
      </span>
    </nav>
  );
}

function switchZone(): void {
  isUtc.value = !isUtc.value;
}

function openHelp(): void {
  dialog.value = { type: 'help' };
}

function openLogin(): void {
  dialog.value = { type: 'login', why: '' };
}
