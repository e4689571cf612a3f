/** Everything that crosses a process boundary. The one front door of the package. */
export * from './admin.ts';
export * from './codec.ts';
export * from './error-codes.ts';
export * from './feed.ts';
export * from './feed-codec.ts';
export * from './feed-frames.ts';
export { FaultBox, Fields, isObject, type Malformed } from './fields.ts';
export * from './ids.ts';
export * from './load-factor.ts';
export * from './messages.ts';
export { printable, printableUrl } from './printable-url.ts';
export * from './tokens.ts';
export * from './version.ts';
