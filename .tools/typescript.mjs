/** Lets Node run TypeScript: `node --import=…/typescript.mjs FILE.ts`. For tests, the bench and tools; users run compiled packages. */
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
process.setSourceMapsEnabled(true);
