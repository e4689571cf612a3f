/** The command, for its bin. */
export { main } from './main.ts';
