/** A modal dialog. Escape and a click beside it close it; the focus returns to where it was. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { dialog } from '../state.ts';

export function Modal({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      aria-label={title}
      onClose={closeDialog}
      onMouseDown={(press) => {
        if (press.target === element.current) closeDialog();
      }}
    >
      <div class="dialog-content">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

export function closeDialog(): void {
  dialog.value = undefined;
}
