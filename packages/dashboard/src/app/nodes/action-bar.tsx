/** Acts on all selected nodes. */

import type { Verb } from '../../model/commands.ts';
import { plural } from '../../model/figures.ts';
import { canAct, dialog, isLive, selected } from '../state.ts';

const VERBS: readonly Verb[] = ['drain', 'enable', 'stop', 'acknowledge', 'remove'];

export function ActionBar() {
  const nodes = [...selected.value];
  if (nodes.length === 0 || !canAct.value) return null;
  return (
    <aside class="action-bar" aria-label="Selected nodes">
      <strong>{plural(nodes.length, 'node')} selected</strong>
      {VERBS.map((verb) => (
        <button
          key={verb}
          type="button"
          disabled={!isLive.value}
          onClick={() => {
            dialog.value = { type: 'act', act: { verb, target: { nodes } } };
          }}
        >
          {verb}
        </button>
      ))}
      <button
        type="button"
        class="plain"
        onClick={() => {
          selected.value = new Set();
        }}
      >
        Clear
      </button>
    </aside>
  );
}
