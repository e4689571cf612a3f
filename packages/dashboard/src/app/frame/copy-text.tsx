/** A command with a button that copies it. */
import { useSignal } from '@preact/signals';

const SHOWN_MS = 2_000;

export function CopyText({ text }: { readonly text: string }) {
  const isCopied = useSignal(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      isCopied.value = true;
      setTimeout(() => {
        isCopied.value = false;
      }, SHOWN_MS);
    } catch {
      // Without permission the text can still be selected.
    }
  };
  return (
    <span class="copy">
      <code>{text}</code>
      <button type="button" class="plain" aria-label={`Copy: ${text}`} onClick={() => void copy()}>
        {isCopied.value ? 'copied' : 'copy'}
      </button>
    </span>
  );
}
