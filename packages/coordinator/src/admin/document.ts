/**
 * What `/openapi.json` has beyond the schemas of the routes: the role and the error answers of each operation, event streams, and
 * names for the schemas.
 */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { ERROR_CODES, type ErrorCode, PAGE_KEY_FIELD, type Role } from '@rollcall/protocol';
import type { FastifySchema, RouteOptions } from 'fastify';
import type { TSchema } from 'typebox';
import { ProblemSchema } from './schemas.ts';

/** Parts of an OpenAPI document that are changed here; other fields are kept. */
interface Operation {
  readonly responses?: Readonly<Record<string, object>>;
  readonly [field: string]: unknown;
}
export interface OpenApiDocument {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** Fields of a schema that are for the document only. */
interface DocumentedSchema extends FastifySchema {
  readonly summary?: string;
  readonly hide?: boolean;
  readonly operationId?: string;
  readonly tags?: readonly string[];
}

/** Groups of operations: by default the first word of the path after `/v1/`. */
const TAGS: Readonly<Record<string, string>> = {
  status: 'What is wrong, and the state of the cluster',
  watch: 'The state of the cluster, and its changes as a stream',
  nodes: 'Nodes: read, register, drain, enable, stop, change, remove',
  drains: 'Drains: progress, deadline, end',
  balancers: 'Balancers: settings, and verbs for all their nodes',
  groups: 'Verbs for all nodes of a group',
  contexts: 'Contexts without nodes',
  events: 'What has happened',
  audit: 'Who has changed what',
  undo: 'Put back what a change has replaced',
  explain: 'Why a request is routed as it is',
  decisions: 'Routing decisions of the workers',
  coordinators: 'Coordinators of the cluster',
  coordinator: 'This coordinator and its program',
  tokens: 'Tokens and their bindings',
  logins: 'Browsers that are logged in',
  mcmp: 'Nodes of mod_cluster',
};

/** The document without its operations. */
export function documentFrame(version: string): NonNullable<FastifyDynamicSwaggerOptions['openapi']> {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Rollcall admin API',
      version,
      description:
        'Reads and writes of a coordinator on its control port. Instants are Unix milliseconds, durations milliseconds. Errors are problem details (RFC 9457) with a stable `code`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'the control port' }],
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'token of `rollcall token create`, or the admin token' },
        login: {
          type: 'apiKey',
          in: 'header',
          name: PAGE_KEY_FIELD,
          description: 'page key of a browser that is logged in, with its login cookie',
        },
      },
    },
  };
}

const SECURITY: Readonly<Record<Role, readonly object[]>> = {
  // Without credentials on the machine of the coordinator.
  viewer: [{ token: [] }, { login: [] }, {}],
  join: [{ token: [] }, {}],
  proxy: [{ token: [] }],
  operator: [{ token: [] }, { login: [] }],
  admin: [{ token: [] }, { login: [] }],
};

/** For the document only: the field is checked by `unmatched`. */
const IF_MATCH = {
  type: 'object',
  properties: {
    'if-match': { type: 'string', description: 'ETag that the resource had when it was read; otherwise 412' },
  },
};

const WRITES: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
/** Keys of schemas that stand for all error answers of a route. */
const RANGES: ReadonlySet<string> = new Set(['4xx', '5xx']);

/** `transform` of the swagger plugin: completes the operation of one route. */
export function describedRoute<Schema extends FastifySchema>({
  schema,
  url,
  route,
}: {
  readonly schema: Schema;
  readonly url: string;
  readonly route: RouteOptions;
}): { readonly schema: Schema; readonly url: string } {
  const { hide, tags = [url.split('/')[2] ?? ''], response = {}, ...rest } = (schema ?? {}) as DocumentedSchema;
  if (hide === true) return { schema, url };
  const { role = 'admin', events, honoursIfMatch } = route.config ?? {};
  const described = {
    ...rest,
    tags,
    ...(role !== 'anybody' && {
      description: `Role: ${role}.`,
      security: SECURITY[role],
      'x-role': role,
    }),
    ...(events && { 'x-events': events }),
    ...(honoursIfMatch && { headers: IF_MATCH }),
    response: { ...answersOf(response as Record<string, TSchema>), ...errorsOf(schema ?? {}, route) },
  };
  return { schema: described as unknown as Schema, url };
}

function answersOf(response: Readonly<Record<string, TSchema>>): object {
  const answers = Object.entries(response).filter(([status]) => !RANGES.has(status));
  return Object.fromEntries(
    answers.map(([status, schema]) => [
      status,
      {
        ...schema,
        'x-response-description': status === '202' ? 'in force here, not known at all coordinators' : 'done',
      },
    ]),
  );
}

/** The problems that an operation can answer with, by status. */
function errorsOf(schema: FastifySchema, { method, config }: RouteOptions): Record<string, object> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set(codesOf(schema, String(method), config))) {
    const { http } = ERROR_CODES[code];
    byStatus.set(http, [...(byStatus.get(http) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => {
      const text = codes.map((code) => `\`${code}\`: ${ERROR_CODES[code].means}`).join('; ');
      return [String(status), { ...ProblemSchema, 'x-response-description': text }];
    }),
  );
}

function codesOf(
  { params, querystring }: FastifySchema,
  method: string,
  { role, honoursIfMatch = false, errors = [] }: RouteOptions['config'] = {},
): readonly ErrorCode[] {
  const isWrite = WRITES.has(method);
  return [
    ...(isWrite || params || querystring ? (['bad-field'] as const) : []),
    ...(isWrite ? (['bad-message', 'too-large', 'not-json'] as const) : []),
    ...(role === 'anybody' ? [] : (['unauthenticated', 'forbidden'] as const)),
    ...(params ? (['not-found'] as const) : []),
    ...(honoursIfMatch ? (['precondition-failed'] as const) : []),
    ...errors,
    'misdirected',
    'rate-limited',
    'internal',
  ];
}

/**
 * The document with a component for each schema that has a title, and references in its place. Schemas with the same title must be
 * equal.
 */
export function namedSchemas<Document extends object>(document: Document): Document {
  const { paths = {}, ...rest } = document as OpenApiDocument;
  const schemas = new Map<string, unknown>();
  const texts = new Map<string, string>();
  const reference = (title: string): object => ({ $ref: `#/components/schemas/${title}` });
  /** Event schemas are as in the source, where others are in the form of OpenAPI already: a name is enough for known ones. */
  const namedEvents = (events: object): object =>
    Object.fromEntries(
      Object.entries(events as Record<string, TSchema>).map(([name, schema]) => {
        const { title } = schema as { readonly title?: string };
        return [name, title !== undefined && schemas.has(title) ? reference(title) : named(schema)];
      }),
    );
  const named = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(named);
    if (typeof value !== 'object' || value === null) return value;
    const { title } = value as { readonly title?: unknown };
    // A property may have the name `title`: its value is a schema.
    const fields = Object.entries(value).filter(([key, each]) => key !== 'title' || typeof each !== 'string');
    const inner = Object.fromEntries(
      fields.map(([key, each]) => [key, key === 'x-events' ? namedEvents(each as object) : named(each)]),
    );
    if (typeof title !== 'string') return inner;
    const text = JSON.stringify(inner);
    if ((texts.get(title) ?? text) !== text) throw new Error(`two schemas with the title ${title} differ`);
    texts.set(title, text);
    schemas.set(title, inner);
    return reference(title);
  };
  const operations = Object.entries(paths).map(([path, methods]) => [
    path,
    Object.fromEntries(
      Object.entries(methods).map(([method, operation]) => [method, named(withProblems(withEvents(operation)))]),
    ),
  ]);
  const byName = [...schemas].sort(([one], [other]) => (one < other ? -1 : 1));
  return {
    ...rest,
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: Object.fromEntries(operations),
    components: { ...rest.components, schemas: Object.fromEntries(byName) },
  } as unknown as Document;
}

/** An operation with a stream has it as a second form of its answer, with a schema for each kind of event. */
function withEvents({ 'x-events': events, ...operation }: Operation): Operation {
  if (events === undefined) return operation;
  const answer = (operation.responses?.['200'] ?? {}) as { readonly content?: object };
  const stream = { 'text/event-stream': { schema: { type: 'string' }, 'x-events': events } };
  const responses = { ...operation.responses, '200': { ...answer, content: { ...answer.content, ...stream } } };
  return { ...operation, responses };
}

/** Error answers have a media type of their own. */
function withProblems({ responses = {}, ...operation }: Operation): Operation {
  const answers = Object.entries(responses).map(([status, answer]) => {
    const { content } = answer as { readonly content?: Readonly<Record<string, object>> };
    const [problem] = Object.values(content ?? {});
    if (Number(status) < 400 || problem === undefined) return [status, answer];
    return [status, { ...answer, content: { 'application/problem+json': problem } }];
  });
  return { ...operation, responses: Object.fromEntries(answers) };
}
