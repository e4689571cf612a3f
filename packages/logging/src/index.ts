/** The front door of logging. */
export type { Losses } from './line-queue.ts';
export { LogDestination, type LogDestinationOptions } from './log-destination.ts';
export { lossText, type OpenedLog, openLog, openOutput, openPlainLog } from './open-log.ts';
