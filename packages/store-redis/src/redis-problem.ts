/** Why Redis does not do what the store needs: a kind for programs, and a sentence with the remedy for people. */
import { printable } from '@rollcall/protocol';

export type RedisProblemKind =
  /** No connection: refused, cut, host not found, no Sentinel, no master. */
  | 'unreachable'
  /** Connected, but there was no answer within the time limit. */
  | 'slow'
  | 'read-only'
  | 'out-of-memory'
  /** Redis has started and reads its data. */
  | 'loading'
  | 'wrong-password'
  /** The user may not use a command or key. */
  | 'no-permission'
  /** Redis accepts no writes, because it cannot save them or has too few replicas. */
  | 'no-writes'
  /** The certificate is not valid for the host or not of a known authority, or the port has no TLS. */
  | 'tls'
  /** The store belongs to another cluster, or has a later layout. */
  | 'foreign'
  /** The store was emptied; the next exchange prepares it. */
  | 'emptied'
  /** A key of ours holds another type; the next exchange replaces it. */
  | 'wrong-type'
  /** Any other error. */
  | 'failed';

export class RedisProblem extends Error {
  override readonly name = 'RedisProblem';
  readonly kind: RedisProblemKind;

  constructor(kind: RedisProblemKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Longest part of an error of Redis in a message, characters. */
const MAX_REASON_LENGTH = 200;

/** Kind, pattern of the code or message of an error, sentence before the error, remedy after it. The first that matches counts. */
const KINDS: readonly [RedisProblemKind, RegExp, string, string?][] = [
  [
    'read-only',
    /\bREADONLY\b|\bMASTERDOWN\b/,
    'redis is a read-only replica',
    'use the address of the master, or Sentinel',
  ],
  ['out-of-memory', /\bOOM\b/, 'redis is out of memory', 'raise maxmemory, or remove other data'],
  ['loading', /\bLOADING\b/, 'redis is loading its data'],
  [
    'wrong-password',
    /\bWRONGPASS\b|\bNOAUTH\b|unauthenticated|invalid password|AUTH.*without any password/i,
    'redis refuses the user name or password',
    'correct them in the URL',
  ],
  [
    'no-permission',
    /\bNOPERM\b|\bDENIED\b|executing the script can't/,
    'redis does not permit a command',
    'extend the ACL of the user',
  ],
  ['no-writes', /\bMISCONF\b|\bNOREPLICAS\b/, 'redis refuses writes', 'see the log of redis'],
  ['wrong-type', /\bWRONGTYPE\b/, 'a key of the store holds another type', 'the next exchange replaces it'],
  ['slow', /Command timed out|Socket timeout|\bBUSY\b/, 'redis does not answer in time'],
  [
    'tls',
    /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ERR_(?:TLS|SSL)|EPROTO|certificate/,
    'no TLS connection to redis',
    'correct the certificate, its authority or the port',
  ],
  [
    'unreachable',
    /\bE[A-Z_]{4,}\b|closed|writeable|isn't ready|sentinel|startup nodes|slots cache|CLUSTERDOWN|MaxRetriesPerRequest|aborted/i,
    'redis is unreachable',
  ],
];

/** Names the cause of an error of ioredis or of Node.js. */
export function problemOf(error: unknown): RedisProblem {
  if (error instanceof RedisProblem) return error;
  const reason = reasonOf(error);
  const code = codeOf(error);
  const found = KINDS.find(([, pattern]) => pattern.test(`${code} ${reason}`));
  const [kind, , sentence, remedy] = found ?? ['failed', undefined, 'redis reports an error', undefined];
  const message = `${sentence} (${printable(reason, MAX_REASON_LENGTH)})${remedy === undefined ? '' : `; ${remedy}`}`;
  return new RedisProblem(kind, message, { cause: error });
}

/** The message of an error. An AggregateError of several addresses has none, so the messages of its parts are joined. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { lastNodeError } = error as { lastNodeError?: unknown };
  if (lastNodeError instanceof Error) return reasonOf(lastNodeError);
  if (error.message.startsWith('All sentinels are unreachable')) {
    // ioredis names the pause before the next attempt, which differs each time.
    const [, last] = /Last error: (.*)$/s.exec(error.message) ?? [];
    return last === undefined ? 'no Sentinel knows the master' : `no Sentinel answers: ${last}`;
  }
  if (error.message !== '') return error.message;
  return error instanceof AggregateError ? error.errors.map(reasonOf).join('; ') : error.name;
}

function codeOf(error: unknown): string {
  const { code, lastNodeError } = (error ?? {}) as { code?: unknown; lastNodeError?: unknown };
  return typeof code === 'string' ? code : lastNodeError === undefined ? '' : codeOf(lastNodeError);
}
