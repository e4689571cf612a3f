/** The keys of the page. */
import { KEY_HELP } from '../../model/keyboard.ts';
import { closeDialog, Modal } from './modal.tsx';

export function HelpDialog() {
  return (
    <Modal title="Keys">
      <dl class="keys">
        {KEY_HELP.map(([keys, text]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <p class="choices">
        <button type="button" class="primary" onClick={closeDialog}>
          Close
        </button>
      </p>
    </Modal>
  );
}
