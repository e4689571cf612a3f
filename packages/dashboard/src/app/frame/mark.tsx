/** The mark of a state. Each tone has its own shape, so that the colour is never needed. */
import type { Tone } from '../../model/node-state.ts';

const SHAPES: Readonly<Record<Tone, string>> = {
  good: 'M3 8.5 6.5 12 13 4.5',
  planned: 'M5 3.5v9M11 3.5v9',
  risk: 'M8 2 14.5 13.5h-13ZM8 6.5v3.5M8 11.8v.4',
  harm: 'M8 1.5 14.5 8 8 14.5 1.5 8ZM8 5v3.8M8 10.6v.4',
  outage: 'M4 4l8 8M12 4l-8 8',
  quiet: 'M4 8h8',
};

export function Mark({ tone }: { readonly tone: Tone }) {
  return (
    <svg class={`mark mark-${tone}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={SHAPES[tone]} />
    </svg>
  );
}
