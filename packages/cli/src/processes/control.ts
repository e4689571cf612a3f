/** Entry of the control process. The end of the supervisor is noticed from here on; what takes a second to load comes after. */
import { Parent } from './parent.ts';

const parent = new Parent();
const { run } = await import('./run-control.ts');
await run(parent);
