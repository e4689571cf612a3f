/** Measurements of the command. No package imports this one. */
export { main } from './main.ts';
