/** What every file of routes needs of fastify. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { isObject, type Role } from '@rollcall/protocol';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Identity, peerOf } from '../auth/gate.ts';
import type { Origin } from '../cluster.ts';

/** The fastify application that routes are added to. */
export type AdminApp = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may come. A route that does not say is closed to all. */
    role?: Role | 'anybody';
    /** True for answers that hold no data: the login cookie is enough for them. Absent: false. */
    isPage?: boolean | ((query: unknown) => boolean);
    /** The route checks `If-Match`. A write with `If-Match` to another route is refused. */
    honoursIfMatch?: boolean;
  }
  interface FastifyRequest {
    /** Who asks; set before any route that names a role runs. */
    identity: Identity | null;
  }
}

/** Address of the peer and the reason given, for the audit. */
export function originOf(request: FastifyRequest): Origin {
  const address = peerOf(request.raw);
  const { body } = request;
  const reason = isObject(body) ? body['reason'] : undefined;
  return {
    ...(address !== undefined && { address: address.toString() }),
    ...(typeof reason === 'string' && { reason }),
  };
}

/** Who asks, in a route that names a role. */
export function identityOf(request: FastifyRequest): Identity {
  if (!request.identity) throw new Error('the route lets anybody in, so nobody is known');
  return request.identity;
}

/** Sends JSON that is serialised already. The schema of the answer is for the document only, and so is its type. */
export function sendJson(reply: unknown, body: Buffer): FastifyReply {
  return (reply as FastifyReply).type('application/json; charset=utf-8').send(body);
}
