/**
 * The admin API: authentication, content type, body size, and errors as problem details. The resources are in files of their own.
 */
import { isUtf8 } from 'node:buffer';
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { ERROR_CODES, type Fault } from '@rollcall/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { fastify } from 'fastify';
import { SERVER_BOUNDS } from '../network/control-server.ts';
import { tlsServerOptions } from '../network/control-tls.ts';
import { SLICE_BYTES, slicesOf } from '../network/unread-answers.ts';
import { addPages } from '../pages/pages.ts';
import { addServerStatus } from '../pages/server-status.ts';
import { addAcknowledge } from './acknowledge.ts';
import { type AdminApp, originOf } from './admin-app.ts';
import { addAudit } from './audit.ts';
import { addBalancers } from './balancers.ts';
import { addContexts } from './contexts.ts';
import { addCoordinators } from './coordinators.ts';
import { addDecisions } from './decisions.ts';
import type { Dependencies } from './dependencies.ts';
import { describedRoute, documentFrame, namedSchemas } from './document.ts';
import { addDrains } from './drains.ts';
import { addEvents } from './events.ts';
import { addExplain } from './explain.ts';
import { addHealth } from './health.ts';
import { lazyValidators } from './lazy-validators.ts';
import { addLogin } from './login.ts';
import { addLogins } from './logins.ts';
import { addMcmp } from './mcmp.ts';
import { addMetrics } from './metrics.ts';
import { addNodes } from './nodes.ts';
import { addPastDecisions } from './past-decisions.ts';
import { faultOf, problemOf, Refusal } from './refusal.ts';
import { addScale } from './scale.ts';
import { addStatus } from './status.ts';
import { isPendingAnswer } from './stored-answer.ts';
import { addSupervisorVerbs } from './supervisor-verbs.ts';
import { TokenlessReads } from './tokenless-reads.ts';
import { addTokens } from './tokens.ts';
import { addVerbs } from './verbs.ts';
import { addWatch } from './watch.ts';

const MAX_BODY_BYTES = 65_536;
const WRITES: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** Builds the admin API with all its routes. */
export async function createAdminApp(dependencies: Dependencies): Promise<AdminApp> {
  const { tls } = dependencies.config;
  const http = { ...SERVER_BOUNDS, maxHeaderSize: 32_768 };
  // Fastify has separate types for node:http and node:https; the routes are the same on both.
  const server = tls ? ({ https: { ...tlsServerOptions(tls), ...http } } as object) : { http };
  const app = fastify({
    ...server,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: 30_000,
    keepAliveTimeout: SERVER_BOUNDS.keepAliveTimeout,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 256 },
    // `verbose`: findings have the schema, whose fields an unknown field is compared with.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, verbose: true } },
    schemaController: { compilersFactory: { buildValidator: lazyValidators } },
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.decorateRequest('identity', null);
  app.decorateRequest('changeId', null);
  acceptOnlyJson(app);
  answerProblems(app, dependencies);
  const tokenlessReads = new TokenlessReads(dependencies.config.clocks);
  app.addHook('onRequest', async (request) => letIn(request, dependencies, tokenlessReads));
  app.addHook('preValidation', async (request) => {
    request.body ??= {};
  });
  app.addHook('preSerialization', async (request, reply, payload) => {
    if (isPendingAnswer(payload)) reply.code(202);
    return withAuditNote(withChangeId(payload, request, dependencies), dependencies);
  });
  app.addHook('onSend', async (_, reply) => addSecurityFields(reply));
  app.addHook('onSend', async (request, reply, payload) => {
    const octets = wholeAnswer(request, payload);
    if (octets === undefined) {
      chargeWhenSent(request, reply, tokenlessReads);
      return payload;
    }
    tokenlessReads.charge(request, Buffer.byteLength(octets));
    return paced(request, reply, octets, dependencies);
  });
  // Schemas of answers are for the document only; the compiler checks the answers that are sent.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));

  await app.register(swagger, {
    openapi: documentFrame(dependencies.config.version),
    transform: describedRoute,
    transformObject: (built) => namedSchemas('openapiObject' in built ? built.openapiObject : {}),
  });
  await app.register(async (routes) => {
    const typed = routes.withTypeProvider<TypeBoxTypeProvider>();
    addHealth(typed, dependencies);
    addLogin(typed, dependencies);
    addLogins(typed, dependencies);
    addCoordinators(typed, dependencies);
    addStatus(typed, dependencies);
    addNodes(typed, dependencies);
    addBalancers(typed, dependencies);
    addVerbs(typed, dependencies);
    addDrains(typed, dependencies);
    addScale(typed, dependencies);
    addAcknowledge(typed, dependencies);
    addContexts(typed, dependencies);
    addSupervisorVerbs(typed, dependencies);
    addTokens(typed, dependencies);
    addEvents(typed, dependencies);
    addWatch(typed, dependencies);
    addAudit(typed, dependencies);
    addMcmp(typed, dependencies);
    addExplain(typed, dependencies);
    addDecisions(typed, dependencies);
    addPastDecisions(typed, dependencies);
    addMetrics(typed, dependencies);
    addServerStatus(typed, dependencies);
    addPages(typed, dependencies);
    typed.get('/openapi.json', { config: { role: 'viewer' }, schema: { hide: true } }, async () => app.swagger());
  });
  await app.ready();
  return app;
}

async function letIn(request: FastifyRequest, { gate }: Dependencies, tokenlessReads: TokenlessReads): Promise<void> {
  const { role = 'admin', isPage = false } = request.is404 ? { role: 'viewer' as const } : request.routeOptions.config;
  if (role === 'anybody') return;
  const identity = gate.admit(request.raw, role, typeof isPage === 'boolean' ? isPage : isPage(request.query));
  if ('code' in identity) throw new Refusal(identity);
  request.identity = identity;
  await tokenlessReads.admit(identity, request);
  refuseIgnored(request);
}

/** Refuses a write whose content type or condition would be ignored. */
function refuseIgnored({ method, headers, routeOptions }: FastifyRequest): void {
  if (!WRITES.has(method)) return;
  const type = headers['content-type'] ?? '';
  // DELETE is the only write that needs no body.
  if (method !== 'DELETE' || type !== '') refuseUnlessJson(type);
  if (headers['if-match'] !== undefined && routeOptions.config.honoursIfMatch !== true) {
    const message = 'If-Match is honoured on writes to one node, and on PATCH of a balancer';
    throw new Refusal({ code: 'bad-field', message });
  }
}

function refuseUnlessJson(type: string): void {
  const json = /^application\/json\s*(?:;(.*))?$/i.exec(type);
  if (!json) throw new Refusal({ code: 'not-json', message: 'send content-type application/json' });
  const [, charset] = /(?:^|;)\s*charset\s*=\s*"?([^";\s]*)/i.exec(json[1] ?? '') ?? [];
  if (charset !== undefined && !/^utf-?8$/i.test(charset))
    throw new Refusal({
      code: 'not-json',
      message: `JSON is read as UTF-8, not ${charset.slice(0, 40)}; send content-type application/json`,
    });
}

/** The answer to a change, with a note when its audit entry is not written. */
async function withAuditNote(payload: unknown, { history }: Dependencies): Promise<unknown> {
  if (!isChange(payload)) return payload;
  const auditNote = await history.auditNote();
  if (auditNote === undefined) return payload;
  const note = 'note' in payload ? `${payload.note}; ${auditNote}` : auditNote;
  return { ...payload, note };
}

/** The answer to a change with its id, by which it can be undone and found in the audit. */
function withChangeId(payload: unknown, { changeId }: FastifyRequest, { cluster }: Dependencies): unknown {
  if (changeId === null || typeof payload !== 'object' || payload === null || !('message' in payload)) return payload;
  return cluster.changes.get(changeId) === undefined ? payload : { ...payload, changeId };
}

function isChange(payload: unknown): payload is object {
  if (typeof payload !== 'object' || payload === null || !('isChanged' in payload)) return false;
  return payload.isChanged === true && 'isDryRun' in payload && payload.isDryRun === false;
}

function acceptOnlyJson(app: AdminApp): void {
  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    // A status change without options needs no body.
    if (body.length === 0) done(null, {});
    else if (!isUtf8(body)) done(new Refusal({ code: 'bad-message', message: 'the body is not UTF-8' }));
    else void parse(request, body.toString(), done);
  });
}

function answerProblems(app: AdminApp, dependencies: Dependencies): void {
  app.setErrorHandler((error, request, reply) => {
    const fault = faultOf(error);
    if (fault) {
      dependencies.history.refused(`${request.method} ${request.routeOptions.url ?? 'unknown path'}`, fault, {
        ...(request.identity && { by: request.identity.name }),
        ...originOf(request),
      });
      return sendProblem(reply, fault, error instanceof Refusal ? error.retryAfterS : undefined);
    }
    dependencies.config.log.error({ err: error }, 'request failed with an internal error');
    return sendProblem(reply, { code: 'internal', message: 'internal error; see the log of the coordinator' });
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, { code: 'not-found', message: `no endpoint ${request.method} ${request.url.slice(0, 200)}` }),
  );
}

function sendProblem(reply: FastifyReply, fault: Fault, retryAfterS = 1): FastifyReply {
  const { http } = ERROR_CODES[fault.code];
  if (http === 401) reply.header('www-authenticate', 'Bearer');
  if (http === 429 || http === 503) reply.header('retry-after', String(retryAfterS));
  return reply.code(http).type('application/problem+json').send(problemOf(fault));
}

/** The body of an answer, unless it is a stream or not sent. */
function wholeAnswer({ method }: FastifyRequest, payload: unknown): string | Buffer | undefined {
  const isWhole = typeof payload === 'string' || Buffer.isBuffer(payload);
  return isWhole && method !== 'HEAD' ? payload : undefined;
}

/** The size of a stream is unknown until it ends. */
function chargeWhenSent(request: FastifyRequest, reply: FastifyReply, reads: TokenlessReads): void {
  const { socket } = request.raw;
  const before = socket.bytesWritten;
  reply.raw.once('close', () => reads.charge(request, socket.bytesWritten - before));
}

/** Counts an answer as unread until it is sent. Large answers are sent in slices. */
function paced(
  { identity, raw }: FastifyRequest,
  reply: FastifyReply,
  octets: string | Buffer,
  { unread }: Dependencies,
): unknown {
  const bytes = Buffer.byteLength(octets);
  unread.hold(raw.socket, reply.raw, bytes, identity !== null && identity.by !== 'loopback');
  if (bytes <= SLICE_BYTES) return octets;
  reply.header('content-length', bytes);
  return slicesOf(Buffer.from(octets));
}

function addSecurityFields(reply: FastifyReply): void {
  reply.header('x-content-type-options', 'nosniff');
  reply.header('referrer-policy', 'no-referrer');
  reply.header('cross-origin-resource-policy', 'same-origin');
  if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
}
