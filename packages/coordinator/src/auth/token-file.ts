/** `tokens.json`: digests and bindings, never a secret. Version 2 is written; version 1, of earlier releases, is read too. */
import { createHash, randomBytes } from 'node:crypto';
import type { TokenBindings } from '@rollcall/protocol';
import { isName, isObject } from '@rollcall/protocol';
import { readBindings } from './bindings.ts';
import { parseRole } from './roles.ts';
import type { TokenDigest, TokenRecord } from './token-record.ts';

/** Upper bound of the tokens in the file. */
export const MAX_TOKENS = 1_000;
/** Upper bound of the earlier ids of a token. */
export const MAX_EARLIER_IDS = 16;
const MAX_CERTIFICATE_CHARACTERS = 253;

/** Content of the file. */
export interface TokenFile {
  readonly tokens: readonly TokenRecord[];
  /** A join token was revoked, so agents need one even if none exists. Otherwise a revocation would admit all agents. */
  readonly wasJoinToken: boolean;
}

/** Text of the file. Leaves out secrets that expired before `nowUnixMs`. */
export function tokenFileText({ tokens: records, wasJoinToken }: TokenFile, nowUnixMs: number): string {
  const tokens = records.map(
    ({ name, id, earlierIds, role, digests, bindings, certificate, createdAtMs, expiresAtMs }) => ({
      name,
      id,
      earlierIds,
      role,
      secrets: digests
        .filter(({ untilUnixMs = Number.POSITIVE_INFINITY }) => untilUnixMs > nowUnixMs)
        .map(({ sha256, untilUnixMs }) => ({ sha256: sha256.toString('hex'), untilUnixMs })),
      bindings,
      certificate,
      createdAtUnixMs: createdAtMs,
      expiresAtUnixMs: expiresAtMs,
    }),
  );
  return `${JSON.stringify({ version: 2, ...(wasJoinToken && { wasJoinToken }), tokens }, null, 2)}\n`;
}

/**
 * The tokens in `text`. Throws for text that cannot be parsed: a start without some tokens would silently lock out clients or
 * admit them.
 */
export function readTokenFile(text: string | undefined, path: string): TokenFile {
  if (text === undefined) return { tokens: [], wasJoinToken: false };
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error(`${path} is not JSON; repair or delete it`);
  }
  const version = isObject(file) ? file['version'] : undefined;
  const tokens = isObject(file) && (version === 1 || version === 2) ? file['tokens'] : undefined;
  if (!Array.isArray(tokens) || tokens.length > MAX_TOKENS)
    throw new Error(`${path} is not a list of tokens of version 1 or 2; repair or delete it`);
  const records = withoutRepeats(
    tokens.map((entry: unknown, i) => {
      const record = isObject(entry) ? (version === 1 ? readFirst(entry) : readSecond(entry)) : undefined;
      if (record) return record;
      const shape = version === 1 ? '{name, role, sha256}' : '{name, role, secrets}';
      throw new Error(`token ${i} in ${path} is not ${shape}; repair or delete it`);
    }),
  );
  return { tokens: records, wasJoinToken: isObject(file) && file['wasJoinToken'] === true };
}

/** Version 1 has an entry per secret. Entries with the same name and role are one token with several secrets. */
function withoutRepeats(records: readonly TokenRecord[]): TokenRecord[] {
  const merged: TokenRecord[] = [];
  for (const record of records) {
    const i = merged.findIndex(({ name, role }) => name === record.name && role === record.role);
    const first = merged[i];
    if (first) merged[i] = { ...first, digests: [...first.digests, ...record.digests] };
    else merged.push(record);
  }
  return merged;
}

/** A new id of a token. */
export function newTokenId(): string {
  return randomBytes(8).toString('hex');
}

export function isTokenId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{16}$/.test(value);
}

function isListOfIds(value: unknown): boolean {
  return Array.isArray(value) && value.length <= MAX_EARLIER_IDS && value.every(isTokenId);
}

/**
 * The id of an entry without one, as written by hand. It is the same at each start and at each coordinator, so that a revoked entry does not
 * return with another id.
 */
function idOf(name: string, digests: readonly TokenDigest[]): string {
  const hash = createHash('sha256').update(`rollcall token ${name} `);
  for (const { sha256 } of digests) hash.update(sha256);
  return hash.digest('hex').slice(0, 16);
}

/** True for a name in a client certificate: visible ASCII, at most 253 characters. */
export function isCertificateName(text: string): boolean {
  return text.length <= MAX_CERTIFICATE_CHARACTERS && /^[!-~]+(?: [!-~]+)*$/.test(text);
}

function readFirst({ name, role, sha256 }: Record<string, unknown>): TokenRecord | undefined {
  const known = parseRole(role);
  const digest = readDigest({ sha256 });
  if (typeof name !== 'string' || !isName(name) || !known || !digest) return undefined;
  return { name, id: idOf(name, [digest]), role: known, digests: [digest] };
}

/** A token of version 2; `undefined` if it cannot be read. */
export function readSecond(entry: Record<string, unknown>): TokenRecord | undefined {
  const { name, role, sha256, bindings, certificate, createdAtUnixMs, expiresAtUnixMs, earlierIds } = entry;
  // Entries that were added by hand may have the form of version 1.
  const { secrets = [{ sha256 }] } = entry;
  const known = parseRole(role);
  if (typeof name !== 'string' || !isName(name) || !known) return undefined;
  if (!Array.isArray(secrets) || secrets.length > MAX_TOKENS) return undefined;
  const digests = secrets.map(readDigest).filter((digest) => digest !== undefined);
  if (digests.length < secrets.length) return undefined;
  const { id = idOf(name, digests) } = entry;
  if (!isTokenId(id) || !isOptional(earlierIds, isListOfIds)) return undefined;
  if (!isOptional(certificate, (value) => typeof value === 'string' && isCertificateName(value))) return undefined;
  if (!isOptional(createdAtUnixMs, Number.isSafeInteger) || !isOptional(expiresAtUnixMs, Number.isSafeInteger))
    return undefined;
  const bound: TokenBindings | undefined = bindings === undefined ? undefined : readable(bindings);
  if (bindings !== undefined && bound === undefined) return undefined;
  return {
    name,
    id,
    ...(earlierIds !== undefined && { earlierIds: earlierIds as string[] }),
    role: known,
    digests,
    ...(bound !== undefined && { bindings: bound }),
    ...(certificate !== undefined && { certificate: certificate as string }),
    ...(createdAtUnixMs !== undefined && { createdAtMs: createdAtUnixMs as number }),
    ...(expiresAtUnixMs !== undefined && { expiresAtMs: expiresAtUnixMs as number }),
  };
}

function readDigest(value: unknown): TokenDigest | undefined {
  const { sha256, untilUnixMs } = isObject(value) ? value : {};
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) return undefined;
  if (!isOptional(untilUnixMs, Number.isSafeInteger)) return undefined;
  return {
    sha256: Buffer.from(sha256, 'hex'),
    ...(untilUnixMs !== undefined && { untilUnixMs: untilUnixMs as number }),
  };
}

function readable(value: unknown): TokenBindings | undefined {
  const read = readBindings(value);
  return 'code' in read ? undefined : read;
}

function isOptional(value: unknown, isSo: (value: unknown) => boolean): boolean {
  return value === undefined || isSo(value);
}
