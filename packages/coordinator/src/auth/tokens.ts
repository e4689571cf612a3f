/**
 * Who may do what, by bearer token. Tokens are kept as SHA-256 digests in `tokens.json`; only the admin token is also there
 * in the clear, in `admin-token`, readable by its owner alone, so that the command line on the same machine finds it.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import type { Role } from '@rollcall/protocol';
import { isName, isObject } from '@rollcall/protocol';
import { readIfThere, replaceFile } from '../files/whole-file.ts';
import { parseRole } from './roles.ts';

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
  /** What the disk did not let us read or write, in sentences. */
  readonly problems: readonly string[];
  /** Texts that could not be written, by path. */
  readonly unwritten: ReadonlyMap<string, string>;
  /** Key for what must be believed after a restart but not after the admin token has changed. */
  readonly loginKey: Buffer;

  constructor(records: readonly TokenRecord[], problems: readonly string[], unwritten: ReadonlyMap<string, string>) {
    this.#records = records;
    this.problems = problems;
    this.unwritten = unwritten;
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

/**
 * Loads `tokens.json`, makes an admin token at first start, and adds the tokens handed in. Only what has changed is written.
 * Throws when the file is not understood. A file that the system does not let us read counts as absent; without an admin token
 * that can be read, made or was handed in there is none in this run.
 */
export async function openTokens(stateDir: string, given: GivenTokens): Promise<Tokens> {
  const path = join(stateDir, 'tokens.json');
  const problems: string[] = [];
  const unwritten = new Map<string, string>();
  const kept = readRecords(await readOr(path, problems), path);
  const keptAdmin = kept.find((record) => record.name === ADMIN_NAME);
  const adminToken = given.adminToken ?? (await keptAdminToken(stateDir, problems));
  const digest = adminToken === undefined ? undefined : digestOf(adminToken);
  const admin = digest ? ({ name: ADMIN_NAME, role: 'admin', digest } as const) : keptAdmin;
  const records = kept.filter((record) => record !== keptAdmin);
  if (admin) records.push(admin);
  if (admin && !(keptAdmin?.role === 'admin' && keptAdmin.digest.equals(admin.digest))) {
    const text = textOf(records);
    await replaceFile(path, text).catch(() => unwritten.set(path, text));
  }
  if (given.joinToken !== undefined) records.push({ name: JOIN_NAME, role: 'join', digest: digestOf(given.joinToken) });
  if (given.feedToken !== undefined)
    records.push({ name: FEED_NAME, role: 'proxy', digest: digestOf(given.feedToken) });
  return new Tokens(records, problems, unwritten);
}

/** The text of a file; `undefined` when it is not there or cannot be read. */
async function readOr(path: string, problems: string[]): Promise<string | undefined> {
  try {
    return await readIfThere(path);
  } catch (error) {
    problems.push(`Tokens in ${path} are not in force in this run: ${(error as Error).message}.`);
    return undefined;
  }
}

async function keptAdminToken(stateDir: string, problems: string[]): Promise<string | undefined> {
  const path = join(stateDir, 'admin-token');
  try {
    const kept = (await readIfThere(path))?.trim();
    if (kept) return kept;
    const made = randomBytes(32).toString('base64url');
    await replaceFile(path, `${made}\n`);
    return made;
  } catch (error) {
    problems.push(
      `There is no admin token in this run: ${(error as Error).message}. Start with ROLLCALL_ADMIN_TOKEN, or start again when ${path} can be written.`,
    );
    return undefined;
  }
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
