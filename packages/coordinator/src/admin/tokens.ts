/** `/v1/tokens`: list, make, change, rotate and revoke tokens. A secret is in the answer that made it, and nowhere else. */
import type { TokenBindings, TokenPatch, TokenResource, TokenResult } from '@rollcall/protocol';
import { DEFAULT_OVERLAP_MS, isName } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { bindingsText, readBindings } from '../auth/bindings.ts';
import { isCertificateName } from '../auth/token-file.ts';
import { hasEnded } from '../auth/token-record.ts';
import type { TokenRecord, TokenSpec } from '../auth/tokens.ts';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import { unknown } from './known.ts';
import { Refusal } from './refusal.ts';
import { NameParams, ProblemSchema } from './schemas.ts';
import type { Surroundings } from './surroundings.ts';
import {
  TokenCreateSchema,
  TokenListSchema,
  TokenPatchSchema,
  TokenResultSchema,
  TokenRevokeSchema,
  TokenRotateSchema,
  TokensQuerySchema,
} from './token-schemas.ts';

/** Most tokens in one answer. */
const MAX_LISTED = 1_000;
/** Bindings of nodes mean nothing for other roles. */
const NODE_BINDINGS = ['balancers', 'hosts', 'contexts', 'nodeIds', 'nodes', 'maxWeight'] as const;

export function addTokens(app: AdminApp, around: Surroundings): void {
  const { tokens, cluster } = around;
  const config = { role: 'admin' } as const;
  const response = { 200: TokenResultSchema, '4xx': ProblemSchema };

  app.get(
    '/v1/tokens',
    {
      config,
      schema: {
        summary: 'Tokens by name, without secrets',
        querystring: TokensQuerySchema,
        response: { 200: TokenListSchema, '4xx': ProblemSchema },
      },
    },
    async ({ query: { limit, after = '' } }) => {
      const most = Math.min(MAX_LISTED, Number(limit ?? MAX_LISTED));
      const rest = tokens.records.filter(({ name }) => name > after);
      const page = rest.slice(0, most).map((record) => resourceOf(around, record));
      return { tokens: page, ...(rest.length > most && { next: page.at(-1)!.name }) };
    },
  );

  app.post(
    '/v1/tokens',
    {
      config,
      schema: { summary: 'Make a token; its secret is in this answer only', body: TokenCreateSchema, response },
    },
    async (request) => {
      const { name, role, bindings, expiresInMs, certificate } = request.body;
      if (!isName(name)) throw new Refusal({ code: 'bad-name', message: `${name} does not match [A-Za-z0-9_-]{1,64}` });
      const spec: TokenSpec = {
        name,
        role,
        ...(bindings && { bindings: boundOf(bindings, role) }),
        ...(expiresInMs !== undefined && { expiresAtMs: Math.floor(cluster.clocks.nowUnixMs() + expiresInMs) }),
        ...(certificate !== undefined && { certificate: certificateOf(certificate) }),
      };
      const { isJoinTokenNeeded } = tokens;
      const made = tokens.create(spec);
      if ('code' in made) throw new Refusal(made);
      const note =
        role === 'join' && !isJoinTokenNeeded
          ? 'agents on this machine need a token too from now on; open connections without one stay until they end'
          : undefined;
      return done(around, request, { record: made.record, secret: made.secret, what: 'created', note });
    },
  );

  app.patch(
    '/v1/tokens/:name',
    {
      config,
      schema: {
        summary: 'Change what a token is bound to; null removes a binding, the end or the certificate',
        params: NameParams,
        body: TokenPatchSchema,
        response,
      },
    },
    async (request) => {
      const { name } = request.params;
      const known = knownToken(around, name);
      const { bindings, expiresInMs, certificate } = request.body;
      const endsAtMs =
        expiresInMs === null || expiresInMs === undefined ? undefined : cluster.clocks.nowUnixMs() + expiresInMs;
      const record = tokens.change(name, {
        ...(bindings && { bindings: boundOf(patched(known.bindings, bindings), known.role) }),
        ...(expiresInMs !== undefined && { expiresAtMs: endsAtMs === undefined ? undefined : Math.floor(endsAtMs) }),
        ...(certificate !== undefined && {
          certificate: certificate === null ? undefined : certificateOf(certificate),
        }),
      });
      if ('code' in record) throw new Refusal(record);
      return done(around, request, { record, what: 'changed' });
    },
  );

  app.post(
    '/v1/tokens/:name/rotate',
    {
      config,
      schema: {
        summary: 'Give a token a new secret; the earlier one stays valid for overlapMs, default 1 h',
        params: NameParams,
        body: TokenRotateSchema,
        response,
      },
    },
    async (request) => {
      knownToken(around, request.params.name);
      const { overlapMs = DEFAULT_OVERLAP_MS } = request.body;
      const rotated = tokens.rotate(request.params.name, overlapMs);
      if ('code' in rotated) throw new Refusal(rotated);
      const isOver = rotated.record.digests.length === 1;
      const what = isOver
        ? 'rotated, the earlier secret has ended; nodes that registered with it stay until they end or the token is revoked'
        : `rotated, the earlier secret ends in ${overlapMs / 1_000} s`;
      return done(around, request, { record: rotated.record, secret: rotated.secret, what });
    },
  );

  app.delete(
    '/v1/tokens/:name',
    {
      config,
      schema: {
        summary: 'Revoke a token: its connections are closed, its secrets are unknown from now on',
        params: NameParams,
        body: TokenRevokeSchema,
        response,
      },
    },
    async (request) => {
      knownToken(around, request.params.name);
      const record = tokens.revoke(request.params.name);
      if ('code' in record) throw new Refusal(record);
      return done(around, request, { record, what: 'revoked', note: revokedNote(around, record) });
    },
  );
}

/** Ends what the change forbids, writes it to the disk and the audit, and answers. */
async function done(
  { tokens, open, state, history, cluster, ...around }: Surroundings,
  request: FastifyRequest,
  change: {
    readonly record: TokenRecord;
    readonly what: string;
    readonly secret?: string;
    readonly note?: string | undefined;
  },
): Promise<TokenResult> {
  const { record, what, secret, note } = change;
  open.look();
  const written = state.writeAll(tokens.files);
  const bound = bindingsText(record.bindings);
  const message = `token ${record.name} (role ${record.role}) ${what}${bound === '' || what === 'revoked' ? '' : `; bound to ${bound}`}`;
  history.did('token', message, { by: identityOf(request).name, ...originOf(request) });
  await written;
  const unwritten =
    state.problem &&
    `the state directory cannot be written (${state.problem.message}); the change is in force, and lost if the coordinator ends before it is written`;
  const notes = [note, unwritten, await history.auditNote()].filter((one) => one !== undefined);
  return {
    token: resourceOf({ tokens, cluster, ...around }, record),
    ...(secret !== undefined && { secret }),
    message,
    ...(notes.length > 0 && { note: notes.join('; ') }),
  };
}

function resourceOf({ tokens, cluster }: Pick<Surroundings, 'tokens' | 'cluster'>, record: TokenRecord): TokenResource {
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

function knownToken({ tokens }: Surroundings, name: string): TokenRecord {
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

/** A revocation opens no door: agents on this machine still need a token. */
function revokedNote({ tokens }: Surroundings, { role }: TokenRecord): string | undefined {
  if (role !== 'join' || tokens.canJoin) return undefined;
  return 'this was the last join token: no agent can join until there is one (`rollcall token create NAME --role join`)';
}
