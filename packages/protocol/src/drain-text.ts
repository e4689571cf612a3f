/** How a drain ended, in words that CLI, pages and events share. */
import type { DrainOutcome } from './admin.ts';

/** `empty`, `deadline over, 3 sessions left`, `killed, 3 sessions lost`. `sessions`: left or lost; ignored for `empty`. */
export function drainEndText(outcome: DrainOutcome, sessions: number): string {
  const count = `${sessions} ${sessions === 1 ? 'session' : 'sessions'}`;
  switch (outcome) {
    case 'empty':
      return 'empty';
    case 'deadline-over':
      return `deadline over, ${count} left`;
    case 'killed':
      return `killed, ${count} lost`;
    default:
      return outcome satisfies never;
  }
}
