/** The verdict: what is wrong, in words and a colour. */
import { verdict } from '../state.ts';
import { Mark } from './mark.tsx';

export function TopLine() {
  const { tone, word, text } = verdict.value;
  return (
    <header class={`verdict tone-${tone}`} aria-live="polite">
      <Mark tone={tone} />
      <strong>{word}</strong>
      <span class="verdict-text">{text}</span>
    </header>
  );
}
