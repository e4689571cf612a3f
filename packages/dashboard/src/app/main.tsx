/** Starts the page. */
import { effect } from '@preact/signals';
import { render } from 'preact';
import { placeOf } from '../model/place.ts';
import { App } from './app.tsx';
import { listenToKeys } from './keys.ts';
import { clockMs, place, toast, verdict } from './state.ts';
import { followCluster } from './stream.ts';

const CLOCK_MS = 1_000;

setInterval(() => {
  clockMs.value = Date.now();
  if (toast.value !== undefined && toast.value.untilMs < Date.now()) toast.value = undefined;
}, CLOCK_MS);
addEventListener('popstate', () => {
  place.value = placeOf(location.pathname, location.search);
});
effect(() => {
  const { tone, title } = verdict.value;
  document.title = `${title} · Rollcall`;
  document.getElementById('icon')?.setAttribute('href', `/assets/icon-${tone}.svg`);
});
listenToKeys();
void followCluster();
render(<App />, document.getElementById('app')!);
