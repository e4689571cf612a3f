/** Whether the window is as narrow as a phone: tables become cards. The width is that of the style sheet. */
import { type Signal, signal } from '@preact/signals';

const media = matchMedia('(max-width: 640px)');
export const narrow: Signal<boolean> = signal(media.matches);
media.addEventListener('change', () => {
  narrow.value = media.matches;
});
