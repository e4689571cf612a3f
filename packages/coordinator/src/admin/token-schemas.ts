/** The shapes of `/v1/tokens`. */
import type { TokenCreate, TokenList, TokenPatch, TokenResult, TokenRevoke, TokenRotate } from '@rollcall/protocol';
import { MAX_BINDING_ENTRIES, MAX_OVERLAP_MS, MAX_REASON_CHARACTERS, MAX_TOKEN_MS } from '@rollcall/protocol';
import type { TSchema, TUnsafe } from 'typebox';
import { Type } from 'typebox';
import { AppliedSchema, answer, body, ChangeId, closed, plainText } from './schemas.ts';

const DryRun = Type.Optional(Type.Boolean({ description: 'check and report without a change' }));
const Reason = plainText(MAX_REASON_CHARACTERS, 'recorded in the audit');
const Name = Type.String({ maxLength: 64, description: '[A-Za-z0-9_-]{1,64}' });
const RoleWord = Type.Union([
  Type.Literal('join'),
  Type.Literal('proxy'),
  Type.Literal('viewer'),
  Type.Literal('operator'),
  Type.Literal('admin'),
]);
const Entries = Type.Array(Type.String({ maxLength: 256 }), { maxItems: MAX_BINDING_ENTRIES });
const Nodes = Type.Integer({ minimum: 0, maximum: 10_000 });
const Weight = Type.Number({ minimum: 0.001, maximum: 100 });
const Certificate = Type.String({
  minLength: 1,
  maxLength: 253,
  description: 'common name, or DNS or URI name, of a client certificate',
});
const LifeMs = Type.Number({ minimum: 1_000, maximum: MAX_TOKEN_MS });

const Bindings = Type.Object(
  {
    balancers: Type.Optional(Entries),
    hosts: Type.Optional(Entries),
    contexts: Type.Optional(Entries),
    nodeIds: Type.Optional(Entries),
    addresses: Type.Optional(Entries),
    nodes: Type.Optional(Nodes),
    maxWeight: Type.Optional(Weight),
  },
  closed,
);

function orNull<Schema extends TSchema>(schema: Schema) {
  return Type.Optional(Type.Union([schema, Type.Null()]));
}

export interface TokensQuery {
  readonly limit?: string;
  readonly after?: string;
  readonly q?: string;
}

export const TokensQuerySchema: TUnsafe<TokensQuery> = body<TokensQuery>()(
  Type.Object(
    {
      limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$', description: '1 to 1000, default 1000' })),
      after: Type.Optional(Type.String({ maxLength: 64, description: '`next` of the previous page' })),
      q: Type.Optional(
        Type.String({
          maxLength: 256,
          description: 'words that must all occur in name, role, certificate and bindings',
        }),
      ),
    },
    closed,
  ),
);

export const TokenCreateSchema: TUnsafe<TokenCreate> = body<TokenCreate>('TokenCreate')(
  Type.Object(
    {
      name: Name,
      role: RoleWord,
      bindings: Type.Optional(Bindings),
      expiresInMs: Type.Optional(LifeMs),
      certificate: Type.Optional(Certificate),
      reason: Type.Optional(Reason),
      dryRun: DryRun,
    },
    closed,
  ),
);

export const TokenPatchSchema: TUnsafe<TokenPatch> = body<TokenPatch>('TokenPatch')(
  Type.Object(
    {
      bindings: Type.Optional(
        Type.Object(
          {
            balancers: orNull(Entries),
            hosts: orNull(Entries),
            contexts: orNull(Entries),
            nodeIds: orNull(Entries),
            addresses: orNull(Entries),
            nodes: orNull(Nodes),
            maxWeight: orNull(Weight),
          },
          closed,
        ),
      ),
      expiresInMs: orNull(LifeMs),
      certificate: orNull(Certificate),
      reason: Type.Optional(Reason),
      dryRun: DryRun,
    },
    closed,
  ),
);

export const TokenRotateSchema: TUnsafe<TokenRotate> = body<TokenRotate>('TokenRotate')(
  Type.Object(
    {
      overlapMs: Type.Optional(Type.Number({ minimum: 0, maximum: MAX_OVERLAP_MS })),
      reason: Type.Optional(Reason),
      dryRun: DryRun,
    },
    closed,
  ),
);

export const TokenRevokeSchema: TUnsafe<TokenRevoke> = body<TokenRevoke>('TokenRevoke')(
  Type.Object({ reason: Type.Optional(Reason), dryRun: DryRun }, closed),
);

const Token = Type.Object({
  name: Type.String(),
  id: Type.String(),
  role: RoleWord,
  source: Type.Union([Type.Literal('stored'), Type.Literal('given')]),
  secrets: Type.Integer({ description: 'secrets that are valid now' }),
  overlapEndsAtUnixMs: Type.Optional(Type.Integer()),
  bindings: Type.Optional(Bindings),
  certificate: Type.Optional(Type.String()),
  createdAtUnixMs: Type.Optional(Type.Integer()),
  expiresAtUnixMs: Type.Optional(Type.Integer()),
  nodes: Type.Integer({ description: 'present nodes that registered with this token' }),
});

export const TokenListSchema: TUnsafe<TokenList> = answer<TokenList>('TokenList')(
  Type.Object({ tokens: Type.Array(Token), next: Type.Optional(Type.String()) }),
);

export const TokenResultSchema: TUnsafe<TokenResult> = answer<TokenResult>('TokenResult')(
  Type.Object({
    changeId: ChangeId,
    token: Token,
    secret: Type.Optional(Type.String({ description: 'shown only once' })),
    leaving: Type.Integer({ description: 'nodes that leave the cluster because of the change' }),
    isDryRun: Type.Boolean(),
    message: Type.String(),
    coordinators: Type.Optional(AppliedSchema),
    note: Type.Optional(Type.String()),
  }),
);
