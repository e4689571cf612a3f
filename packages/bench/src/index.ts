/** Measurements of the command; nobody imports them. */
export { main } from './main.ts';
