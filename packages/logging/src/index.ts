/** The front door of logging. */
export type { Losses } from './line-queue.ts';
export { LogDestination, type LogDestinationOptions } from './log-destination.ts';
export {
  LOG_FORMATS,
  type LogFormat,
  lossText,
  type OpenedLog,
  openLog,
  openOutput,
  openPlainLog,
  type PlainLogOptions,
} from './open-log.ts';
