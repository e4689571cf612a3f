/** Path and secret of the local socket of a node, in the format of the environment variable. */
import { createHash, randomBytes } from 'node:crypto';
import { AGENT_PATH } from '@rollcall/protocol';

/** Variable with the socket for a wrapped program. */
export const NODE_VARIABLE = 'ROLLCALL_NODE';

export interface NodeSocketName {
  /** Path of the UNIX socket: absolute, at most 100 characters, without `:` and `#`. */
  readonly path: string;
  /** Credential of the programs that connect: 16–128 visible ASCII characters. */
  readonly secret: string;
}

/** 128 random bits. */
export function newSecret(): string {
  return randomBytes(16).toString('hex');
}

/** `unix:PATH#SECRET`. */
export function nodeSocketText({ path, secret }: NodeSocketName): string {
  return `unix:${path}#${secret}`;
}

/** Parses `unix:PATH#SECRET`; `undefined` if it is invalid. */
export function parseNodeSocket(text: string): NodeSocketName | undefined {
  const match = /^unix:(\/[^#:]{1,99})#([!-~]{16,128})$/.exec(text.trim());
  return match === null ? undefined : { path: match[1]!, secret: match[2]! };
}

/** URL of the agent protocol on this socket, in the format of `ws`. */
export function nodeSocketUrl({ path }: NodeSocketName): string {
  return `ws+unix:${path}:${AGENT_PATH}`;
}

/**
 * The instance of the node, derived from the secret. Each process of the node can prove it to a probe, and a process that
 * registers the node later registers the same instance.
 */
export function instanceOf({ secret }: NodeSocketName): string {
  return createHash('sha256').update(`rollcall instance ${secret}`).digest('hex').slice(0, 32);
}
