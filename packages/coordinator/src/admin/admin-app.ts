/** Types and helpers that all route files share: the fastify instance, the identity of a request, and its origin. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { type ErrorCode, isObject, type Role } from '@rollcall/protocol';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TSchema } from 'typebox';
import { type Identity, peerOf } from '../auth/gate.ts';
import type { Origin } from '../cluster.ts';

/** The fastify application that routes are added to. */
export type AdminApp = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Required role. A route without a role refuses every request. */
    role?: Role | 'anybody';
    /** True for answers without data: the login cookie alone admits the request. Default: false. */
    isPage?: boolean | ((query: unknown) => boolean);
    /** The route checks `If-Match`. Other routes refuse a write with `If-Match`. */
    honoursIfMatch?: boolean;
    /** For the document: codes of errors that the route can give, besides the codes of all routes of its kind. */
    errors?: readonly ErrorCode[];
    /** For the document: the route streams with `Accept: text/event-stream`. Schemas of the data by name of the event. */
    events?: Readonly<Record<string, TSchema>>;
  }
  interface FastifyRequest {
    /** Identity of the client; set before the handler of a route with a role runs. */
    identity: Identity | null;
    /** Set when the request changes something, or may do so. */
    changeId: string | null;
  }
}

/** Address of the peer and the reason that the request gives, for the audit. */
export function originOf(request: FastifyRequest): Origin {
  const address = peerOf(request.raw);
  const { body } = request;
  const reason = isObject(body) ? body['reason'] : undefined;
  return {
    ...(address !== undefined && { address: address.toString() }),
    ...(typeof reason === 'string' && { reason }),
    changeId: changeIdOf(request),
  };
}

/** Name of the change that this request makes, if it makes one: the same for all its commands. */
export function changeIdOf(request: FastifyRequest): string {
  request.changeId ??= randomBytes(6).toString('hex');
  return request.changeId;
}

/** Identity of the client. Only for routes with a role. */
export function identityOf(request: FastifyRequest): Identity {
  if (!request.identity) throw new Error('the route has no role, so the request has no identity');
  return request.identity;
}

/** Sends JSON that is already serialised. The schema and the type of the answer are used for the document only. */
export function sendJson(reply: unknown, body: Buffer): FastifyReply {
  return (reply as FastifyReply).type('application/json; charset=utf-8').send(body);
}
