/** `/v1/tokens`: list, create, change, rotate and revoke tokens. A secret is only in the answer to its creation. */
import type { TokenBindings, TokenPatch, TokenResource, TokenResult } from '@rollcall/protocol';
import { DEFAULT_OVERLAP_MS, isName } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { bindingsText, readBindings } from '../auth/bindings.ts';
import { isCertificateName } from '../auth/token-file.ts';
import { hasEnded } from '../auth/token-record.ts';
import type { TokenRecord, TokenSpec, Tokens } from '../auth/tokens.ts';
import { type AdminApp, changeIdOf, identityOf, originOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { unknown } from './known.ts';
import { Refusal } from './refusal.ts';
import { NameParams, ProblemSchema } from './schemas.ts';
import { sharedAnswer } from './stored-answer.ts';
import {
  TokenCreateSchema,
  TokenListSchema,
  TokenPatchSchema,
  TokenResultSchema,
  TokenRevokeSchema,
  TokenRotateSchema,
  TokensQuerySchema,
} from './token-schemas.ts';
import { effectText, lastJoinNote, tooLongNote, unboundNote } from './token-text.ts';
import { searchOf } from './word-list.ts';

/** Upper bound of the tokens in an answer. */
const MAX_LISTED = 1_000;
/** Bindings that have no meaning for roles other than `join`. */
const NODE_BINDINGS = ['balancers', 'hosts', 'contexts', 'nodeIds', 'nodes', 'maxWeight'] as const;

export function addTokens(app: AdminApp, dependencies: Dependencies): void {
  const { tokens, cluster } = dependencies;
  const config = { role: 'admin', errors: ['bad-name', 'conflict'] } as const;
  const response = { 200: TokenResultSchema, 202: TokenResultSchema, '4xx': ProblemSchema };

  app.get(
    '/v1/tokens',
    {
      config,
      schema: {
        operationId: 'listTokens',
        summary: 'Tokens by name, without secrets',
        querystring: TokensQuerySchema,
        response: { 200: TokenListSchema, '4xx': ProblemSchema },
      },
    },
    async ({ query: { limit, after = '', q } }) => {
      const most = Math.min(MAX_LISTED, Number(limit ?? MAX_LISTED));
      const isFound = searchOf(q);
      const rest = tokens.records.filter(
        ({ name, role, certificate, bindings }) =>
          name > after && (isFound?.([name, role, certificate, JSON.stringify(bindings)]) ?? true),
      );
      const page = rest.slice(0, most).map((record) => resourceOf(dependencies, record));
      return { tokens: page, ...(rest.length > most && { next: page.at(-1)!.name }) };
    },
  );

  app.post(
    '/v1/tokens',
    {
      config,
      schema: {
        operationId: 'createToken',
        summary: 'Create a token; its secret is only in this answer',
        body: TokenCreateSchema,
        response,
      },
    },
    async (request) => {
      const { name, role, bindings, expiresInMs, certificate, dryRun = false } = request.body;
      if (!isName(name)) throw new Refusal({ code: 'bad-name', message: `${name} does not match [A-Za-z0-9_-]{1,64}` });
      const spec: TokenSpec = {
        name,
        role,
        ...(bindings && { bindings: boundOf(bindings, role) }),
        ...(expiresInMs !== undefined && { expiresAtMs: Math.floor(cluster.clocks.nowUnixMs() + expiresInMs) }),
        ...(certificate !== undefined && { certificate: certificateOf(certificate) }),
      };
      const { isJoinTokenNeeded } = tokens;
      const on = dryRun ? tokens.trial() : tokens;
      const made = on.create(spec);
      if ('code' in made) throw new Refusal(made);
      const { record, secret } = made;
      const first =
        role === 'join' && !isJoinTokenNeeded
          ? 'agents on this machine need a token too from now on; open connections without one stay until they end'
          : undefined;
      return done(dependencies, request, { on, record, secret, what: 'created', notes: [first, unboundNote(record)] });
    },
  );

  app.patch(
    '/v1/tokens/:name',
    {
      config,
      schema: {
        operationId: 'patchToken',
        summary: 'Change what a token is bound to; null removes a binding, the expiry or the certificate',
        params: NameParams,
        body: TokenPatchSchema,
        response,
      },
    },
    async (request) => {
      const { name } = request.params;
      const known = knownToken(dependencies, name);
      const { bindings, expiresInMs, certificate, dryRun = false } = request.body;
      const on = dryRun ? tokens.trial() : tokens;
      const endsAtMs =
        expiresInMs === null || expiresInMs === undefined ? undefined : cluster.clocks.nowUnixMs() + expiresInMs;
      const record = on.change(name, {
        ...(bindings && { bindings: boundOf(patched(known.bindings, bindings), known.role) }),
        ...(expiresInMs !== undefined && { expiresAtMs: endsAtMs === undefined ? undefined : Math.floor(endsAtMs) }),
        ...(certificate !== undefined && {
          certificate: certificate === null ? undefined : certificateOf(certificate),
        }),
      });
      if ('code' in record) throw new Refusal(record);
      return done(dependencies, request, { on, record, what: 'changed', notes: [unboundNote(record, known)] });
    },
  );

  app.post(
    '/v1/tokens/:name/rotate',
    {
      config,
      schema: {
        operationId: 'rotateToken',
        summary: 'Give a token a new secret; the earlier one stays valid for overlapMs, default 1 h',
        params: NameParams,
        body: TokenRotateSchema,
        response,
      },
    },
    async (request) => {
      knownToken(dependencies, request.params.name);
      const { overlapMs = DEFAULT_OVERLAP_MS, dryRun = false } = request.body;
      const on = dryRun ? tokens.trial() : tokens;
      const rotated = on.rotate(request.params.name, overlapMs);
      if ('code' in rotated) throw new Refusal(rotated);
      const { record, secret } = rotated;
      const isOver = record.digests.length === 1;
      const what = isOver
        ? 'rotated, the earlier secret is invalid at once; nodes that registered with it stay until they leave or the token is revoked'
        : `rotated, the earlier secret ends in ${overlapMs / 1_000} s`;
      return done(dependencies, request, { on, record, secret, what });
    },
  );

  app.delete(
    '/v1/tokens/:name',
    {
      config,
      schema: {
        operationId: 'revokeToken',
        summary: 'Revoke a token: closes its connections, invalidates its secrets',
        params: NameParams,
        body: TokenRevokeSchema,
        response,
      },
    },
    async (request) => {
      knownToken(dependencies, request.params.name);
      const on = request.body.dryRun ? tokens.trial() : tokens;
      const record = on.revoke(request.params.name);
      if ('code' in record) throw new Refusal(record);
      return done(dependencies, request, { on, record, what: 'revoked', notes: [lastJoinNote(record, on.canJoin)] });
    },
  );
}

/**
 * Ends what the change forbids, writes the change to the disk and the audit, and answers. A change of a trial is only reported.
 */
async function done(
  { tokens, open, state, history, cluster, sharedSync, sharedTokens }: Dependencies,
  request: FastifyRequest,
  change: {
    /** The changed tokens: the tokens in force, or a trial copy. */
    readonly on: Tokens;
    readonly record: TokenRecord;
    readonly what: string;
    readonly secret?: string;
    readonly notes?: readonly (string | undefined)[];
  },
): Promise<TokenResult> {
  const { on, record, what, secret, notes = [] } = change;
  const isDryRun = on !== tokens;
  const effect = open.effectOf(on, record.name);
  const verb = isDryRun ? `would be ${what}` : what;
  const bound = what === 'revoked' ? '' : bindingsText(record.bindings);
  const nodes = what === 'created' ? '' : effectText(record, effect, isDryRun);
  const message = `token ${record.name} (role ${record.role}) ${verb}${bound === '' ? '' : `; bound to ${bound}`}${nodes}`;
  const result = (moreNotes: readonly (string | undefined)[]): TokenResult => {
    const all = [...notes, ...moreNotes].filter((one) => one !== undefined);
    return {
      token: resourceOf({ tokens: on, cluster }, record),
      ...(secret !== undefined && !isDryRun && { secret }),
      leaving: effect.leave.length,
      isDryRun,
      message,
      ...(all.length > 0 && { note: all.join('; ') }),
    };
  };
  if (isDryRun) return result([]);
  const { keys = [], tooLong = [] } = sharedTokens?.follow() ?? {};
  open.look();
  const written = state.writeAll(tokens.files);
  const by = identityOf(request).name;
  cluster.changes.recordFinal(changeIdOf(request), by, 'secrets and bindings of a token are not kept; change it again');
  history.did('token', message, { by, ...originOf(request) });
  await written;
  const unwritten =
    state.problem &&
    `the state directory cannot be written (${state.problem.message}); the change is in force, and lost if the coordinator ends before it is written`;
  const answer = result([unwritten, ...tooLong.map(tooLongNote), await history.auditNote()]);
  return sharedAnswer({ sharedSync }, answer, keys);
}

function resourceOf({ tokens, cluster }: Pick<Dependencies, 'tokens' | 'cluster'>, record: TokenRecord): TokenResource {
  const nowUnixMs = cluster.clocks.nowUnixMs();
  const { name, id, role, bindings, certificate, createdAtMs, expiresAtMs } = record;
  const digests = tokens.current(record) ? record.digests : [];
  const valid = digests.filter((digest) => !hasEnded(record, digest, nowUnixMs));
  const ends = valid.map(({ untilUnixMs }) => untilUnixMs).filter((end) => end !== undefined);
  return {
    name,
    id,
    role,
    source: tokens.isStored(record) || tokens.current(record) === undefined ? 'stored' : 'given',
    secrets: valid.length,
    ...(ends.length > 0 && { overlapEndsAtUnixMs: Math.max(...ends) }),
    ...(bindings && { bindings }),
    ...(certificate !== undefined && { certificate }),
    ...(createdAtMs !== undefined && { createdAtUnixMs: createdAtMs }),
    ...(expiresAtMs !== undefined && { expiresAtUnixMs: expiresAtMs }),
    nodes: cluster.registry.presentOf(name),
  };
}

function knownToken({ tokens }: Dependencies, name: string): TokenRecord {
  const record = tokens.records.find((one) => one.name === name);
  if (record) return record;
  throw unknown(
    'token',
    name,
    tokens.records.map((one) => one.name),
  );
}

function boundOf(value: unknown, role: TokenRecord['role']): TokenBindings {
  const bindings = readBindings(value);
  if ('code' in bindings) throw new Refusal(bindings);
  const wrong = role === 'join' ? undefined : NODE_BINDINGS.find((key) => bindings[key] !== undefined);
  if (wrong !== undefined)
    throw new Refusal({
      code: 'bad-field',
      message: `${wrong} binds nodes; a token with the role ${role} registers none`,
    });
  return bindings;
}

function patched(bindings: TokenBindings = {}, patch: NonNullable<TokenPatch['bindings']>): object {
  return Object.fromEntries(Object.entries({ ...bindings, ...patch }).filter(([, value]) => value !== null));
}

function certificateOf(text: string): string {
  if (isCertificateName(text)) return text;
  throw new Refusal({ code: 'bad-field', message: 'certificate is not a name of visible ASCII with single spaces' });
}
