/** The dialog that is open, if any. */
import { dialog } from '../state.ts';
import { ActDialog } from './act-dialog.tsx';
import { HelpDialog } from './help-dialog.tsx';
import { LoginDialog } from './login-dialog.tsx';

export function Dialogs() {
  const open = dialog.value;
  switch (open?.type) {
    case 'act':
      return <ActDialog act={open.act} />;
    case 'login':
      return <LoginDialog why={open.why} />;
    case 'help':
      return <HelpDialog />;
    default:
      return null;
  }
}
