/** The shapes of `/v1/audit` and `/v1/undo`. */
import type { AuditPage, AuditResource, UndoBody } from '@rollcall/protocol';
import { MAX_REASON_CHARACTERS } from '@rollcall/protocol';
import type { TUnsafe } from 'typebox';
import { Type } from 'typebox';
import type { PageQuery } from './paging.ts';
import { answer, body, closed, plainText, UnixMs } from './schemas.ts';

/** Query of `GET /v1/audit`. */
export interface AuditQuery extends PageQuery {
  readonly by?: string;
  readonly what?: string;
  readonly node?: string;
  readonly balancer?: string;
  readonly sinceUnixMs?: string;
  readonly untilUnixMs?: string;
}

const name = (description: string) => Type.Optional(Type.String({ maxLength: 128, description }));

export const AuditQuerySchema: TUnsafe<AuditQuery> = body<AuditQuery>()(
  Type.Object(
    {
      by: name('only entries of this token'),
      what: Type.Optional(
        Type.String({ maxLength: 256, description: 'types like `status`, or `refused`; several with commas' }),
      ),
      node: name('only entries of this node'),
      balancer: name('only entries of this balancer'),
      sinceUnixMs: Type.Optional(UnixMs('only entries from this instant on')),
      untilUnixMs: Type.Optional(UnixMs('only entries until this instant')),
      limit: Type.Optional(Type.String({ maxLength: 16, description: 'upper bound of the entries, 1 to 1000' })),
      after: Type.Optional(Type.String({ pattern: '^[0-9]{1,16}$', description: '`next` of the previous page' })),
    },
    closed,
  ),
);

const State = Type.Optional(Type.Unsafe<object>({ type: 'object', description: 'fields that differ' }));

export const AuditSchema: TUnsafe<AuditResource> = answer<AuditResource>('AuditResource')(
  Type.Object({
    id: Type.Number(),
    atUnixMs: Type.Number(),
    what: Type.String(),
    message: Type.String(),
    by: Type.Optional(Type.String()),
    from: Type.Optional(Type.String({ description: 'address of the peer' })),
    reason: Type.Optional(Type.String()),
    node: Type.Optional(Type.String()),
    balancer: Type.Optional(Type.String()),
    changeId: Type.Optional(Type.String()),
    before: State,
    after: State,
    canUndo: Type.Optional(Type.Literal(true)),
  }),
);

export const AuditPageSchema: TUnsafe<AuditPage> = answer<AuditPage>('AuditPage')(
  Type.Object({ entries: Type.Array(AuditSchema), next: Type.Optional(Type.String()) }),
);

export const UndoBodySchema: TUnsafe<UndoBody> = body<UndoBody>('UndoBody')(
  Type.Object(
    {
      changeId: Type.Optional(
        Type.String({
          maxLength: 64,
          description: 'of the answer or the audit; default: the last change of this token',
        }),
      ),
      reason: Type.Optional(plainText(MAX_REASON_CHARACTERS, 'recorded in the audit')),
      dryRun: Type.Optional(Type.Boolean({ description: 'check and report without a change' })),
      force: Type.Optional(Type.Boolean({ description: 'also when too few eligible nodes are left' })),
    },
    closed,
  ),
);
