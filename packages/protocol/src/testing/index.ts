/** For tests of other packages. */
export { type Mutation, mutated } from './mutated-message.ts';
