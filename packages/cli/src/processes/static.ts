/** Entry of the static process. Detects the end of the supervisor first; then loads the modules, which takes a second. */
import { Parent } from './parent.ts';

const parent = new Parent();
const { run } = await import('./run-static.ts');
await run(parent);
