/** Logs this browser in, in place. */
import { useSignal } from '@preact/signals';
import { loginProof } from '../../model/login-code.ts';
import { errorMessage } from '../admin-call.ts';
import { logIn } from '../session.ts';
import { closeDialog, Modal } from './modal.tsx';

export function LoginDialog({ why }: { readonly why: string }) {
  const pasted = useSignal('');
  const trouble = useSignal('');
  const submit = async (): Promise<void> => {
    const proof = loginProof(pasted.value);
    if (proof === undefined) return;
    try {
      await logIn(proof);
    } catch (error) {
      trouble.value = error instanceof Error ? error.message : errorMessage(error);
    }
  };
  return (
    <Modal title="Log in">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {why !== '' && <p class="quiet">{why}</p>}
        <p>
          On the machine of the coordinator, <code>rollcall logins --link</code> prints a login link. Paste it here, or
          paste an admin token.
        </p>
        <label>
          Login link or admin token
          <input
            type="password"
            value={pasted.value}
            autocomplete="off"
            onInput={(input) => {
              pasted.value = input.currentTarget.value;
            }}
          />
        </label>
        {trouble.value !== '' && (
          <p class="trouble" role="alert">
            {trouble.value}
          </p>
        )}
        <p class="choices">
          <button type="submit" class="primary">
            Log in
          </button>
          <button type="button" onClick={closeDialog}>
            Cancel
          </button>
        </p>
      </form>
    </Modal>
  );
}
