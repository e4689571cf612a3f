/**
 * Who may do what, by bearer token. Tokens are kept as SHA-256 digests in `tokens.json`; only the admin token is also there
 * in the clear, in `admin-token`, readable by its owner alone, so that the command line on the same machine finds it.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import type { Role } from '@rollcall/protocol';
import { isName, isObject } from '@rollcall/protocol';
import { parseRole } from './roles.ts';
import { readIfThere, writeSecret } from './state-file.ts';

/** One token as it is kept. The name owns node ids, so a token may change while its name and nodes stay. */
export interface TokenRecord {
  readonly name: string;
  readonly role: Role;
  readonly digest: Buffer;
}

/** Tokens that were handed in, in the clear; each is optional. */
export interface GivenTokens {
  readonly joinToken?: string;
  readonly adminToken?: string;
  readonly feedToken?: string;
}

/** Longest token that is looked at, in characters. */
const MAX_TOKEN_LENGTH = 512;
/** Most tokens `tokens.json` may hold. */
const MAX_TOKENS = 1_000;
/** Name of the join token, and of agents that need none: giving a cluster its first token must lock nobody out. */
export const JOIN_NAME = 'join';
/** Name of the administrator's token. */
export const ADMIN_NAME = 'admin';
const FEED_NAME = 'feed';

export class Tokens {
  readonly #records: readonly TokenRecord[];
  /** Key for what must be believed after a restart but not after the admin token has changed. */
  readonly loginKey: Buffer;

  constructor(records: readonly TokenRecord[]) {
    this.#records = records;
    const admin = records.find((record) => record.name === ADMIN_NAME);
    this.loginKey = createHash('sha256')
      .update('rollcall login ')
      .update(admin?.digest ?? randomBytes(32))
      .digest();
  }

  /** True when some token lets agents in. */
  get canJoin(): boolean {
    return this.#records.some((record) => record.role === 'join');
  }

  /** The record of a token. Takes the same time for every token of one length, right or wrong. */
  find(token: string): TokenRecord | undefined {
    if (token.length > MAX_TOKEN_LENGTH) return undefined;
    const digest = digestOf(token);
    let found: TokenRecord | undefined;
    for (const record of this.#records) if (timingSafeEqual(record.digest, digest)) found ??= record;
    return found;
  }
}

/** Loads `tokens.json`, makes an admin token at first start, and adds the tokens handed in. Throws when the file is not understood. */
export async function openTokens(stateDir: string, given: GivenTokens): Promise<Tokens> {
  const path = join(stateDir, 'tokens.json');
  const kept = readRecords(await readIfThere(path), path);
  const adminToken = given.adminToken ?? (await keptAdminToken(stateDir));
  const records = kept.filter((record) => record.name !== ADMIN_NAME);
  records.push({ name: ADMIN_NAME, role: 'admin', digest: digestOf(adminToken) });
  await writeSecret(path, textOf(records));
  if (given.joinToken !== undefined) records.push({ name: JOIN_NAME, role: 'join', digest: digestOf(given.joinToken) });
  if (given.feedToken !== undefined)
    records.push({ name: FEED_NAME, role: 'proxy', digest: digestOf(given.feedToken) });
  return new Tokens(records);
}

async function keptAdminToken(stateDir: string): Promise<string> {
  const path = join(stateDir, 'admin-token');
  const kept = (await readIfThere(path))?.trim();
  if (kept) return kept;
  const made = randomBytes(32).toString('base64url');
  await writeSecret(path, `${made}\n`);
  return made;
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function textOf(records: readonly TokenRecord[]): string {
  const tokens = records.map(({ name, role, digest }) => ({ name, role, sha256: digest.toString('hex') }));
  return `${JSON.stringify({ version: 1, tokens }, null, 2)}\n`;
}

/** A file that cannot be understood stops the start: to go on would lock people out, or let them in, without a word. */
function readRecords(text: string | undefined, path: string): TokenRecord[] {
  if (text === undefined) return [];
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error(`${path} is not JSON; repair or delete it`);
  }
  const tokens = isObject(file) && file['version'] === 1 ? file['tokens'] : undefined;
  if (!Array.isArray(tokens) || tokens.length > MAX_TOKENS)
    throw new Error(`${path} is not a list of tokens of version 1; repair or delete it`);
  return tokens.map((entry: unknown, i) => {
    const { name, role, sha256 } = isObject(entry) ? entry : {};
    const known = parseRole(role);
    if (
      typeof name !== 'string' ||
      !isName(name) ||
      !known ||
      typeof sha256 !== 'string' ||
      !/^[0-9a-f]{64}$/.test(sha256)
    )
      throw new Error(`token ${i} in ${path} is not {name, role, sha256}; repair or delete it`);
    return { name, role: known, digest: Buffer.from(sha256, 'hex') };
  });
}
