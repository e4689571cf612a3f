/** Public interface for tests of other packages. */
export { ManualTimers } from './manual-timers.ts';
export { type Mutation, mutated } from './mutated-message.ts';
