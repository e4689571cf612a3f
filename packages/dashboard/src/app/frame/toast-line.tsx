/** The outcome of the last act, with the button that undoes it. */

import { undo } from '../acts.ts';
import { toast } from '../state.ts';

export function ToastLine() {
  const shown = toast.value;
  return (
    <div class="toast-place" role="status" aria-live="polite">
      {shown && (
        <div class={shown.isError ? 'toast toast-error' : 'toast'}>
          <span>{shown.text}</span>
          {shown.changes.length > 0 && (
            <button type="button" onClick={() => void undo(shown.changes)}>
              Undo
            </button>
          )}
          <button type="button" class="plain" aria-label="Close the message" onClick={close}>
            ×
          </button>
        </div>
      )}
    </div>
  );
}

function close(): void {
  toast.value = undefined;
}
