/**
 * The generated source of packages/admin-client: the operations of the OpenAPI document with the types of their inputs and answers.
 * Schemas with the name of a type of packages/protocol use that type. `packages/coordinator/src/admin/openapi-file.test.ts` writes the file.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROTOCOL = fileURLToPath(new URL('../packages/protocol/src', import.meta.url));
const REFERENCE = /^#\/components\/schemas\//;
const MAX_COLUMNS = 140;

/** The text of `operations.ts` for an OpenAPI document. */
export function operationsText({ paths, components }) {
  const known = protocolTypes();
  const imported = new Set();
  const declared = new Map();
  const nameOf = (reference) => {
    const name = reference.replace(REFERENCE, '');
    if (known.has(name)) imported.add(name);
    else if (!declared.has(name)) {
      declared.set(name, '');
      declared.set(name, `export type ${name} = ${typeOf(components.schemas[name], nameOf)};`);
    }
    return name;
  };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
  );
  operations.sort((one, other) => (one.operationId < other.operationId ? -1 : 1));
  const types = operations.map((operation) => operationType(operation, components, nameOf));
  const rows = operations.map(
    ({ operationId, method, path }) => `  ${operationId}: { method: '${method}', path: '${path}' },`,
  );
  return `${[
    '// Generated from the OpenAPI document of the coordinator; see README.md.',
    `import type {\n${[...imported]
      .sort()
      .map((name) => `  ${name},\n`)
      .join('')}} from '@rollcall/protocol';`,
    ...[...declared].sort().map(([, text]) => text),
    'type QueryValue = string | number | boolean | undefined;',
    '/** Input and answer of each operation, and the data of its events by their names. */',
    `export interface Operations {\n${types.join('\n')}\n}`,
    '/** Method and path of each operation. */',
    `export const OPERATIONS: { readonly [Id in keyof Operations]: { readonly method: string; readonly path: string } } = {\n${rows.join('\n')}\n};`,
  ]
    .join('\n\n')
    .replaceAll('*/\n\nexport', '*/\nexport')}\n`;
}

function protocolTypes() {
  const files = readdirSync(PROTOCOL).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const texts = files.map((name) => readFileSync(join(PROTOCOL, name), 'utf8'));
  return new Set(
    texts.flatMap((text) => [...text.matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, name]) => name)),
  );
}

function operationType(
  { operationId, method, path, summary, parameters = [], requestBody, responses, ...rest },
  components,
  nameOf,
) {
  const fields = (place) => parameters.filter((parameter) => parameter.in === place);
  const required = fields('path').map(({ name }) => `readonly ${name}: string`);
  const query = fields('query').map(({ name, schema }) => `readonly ${name}?: ${queryType(schema)}`);
  const body = requestBody?.content['application/json'].schema;
  const input = [
    ...(required.length > 0 ? [`readonly path: { ${required.join('; ')} }`] : []),
    ...(query.length > 0 ? [`readonly query?: { ${query.join('; ')} }`] : []),
    ...(body ? [`readonly body${isOptional(body, components) ? '?' : ''}: ${typeOf(body, nameOf)}`] : []),
  ];
  const { content = {} } = responses['200'] ?? {};
  const json = content['application/json']?.schema;
  const stream = content['text/event-stream']?.['x-events'];
  const isText = Object.keys(content).some((type) => type.startsWith('text/') && type !== 'text/event-stream');
  const answer = json ? typeOf(json, nameOf) : isText ? 'string' : 'undefined';
  const events = Object.entries(stream ?? {}).map(
    ([name, schema]) => `readonly ${quoted(name)}: ${typeOf(schema, nameOf)}`,
  );
  return [
    `  /** ${`\`${method} ${path}\`, role ${rest['x-role']}. ${summary}`.slice(0, MAX_COLUMNS)}${summary.endsWith('.') ? '' : '.'} */`,
    `  readonly ${operationId}: {`,
    `    readonly input: ${input.length === 0 ? 'object' : `{ ${input.join('; ')} }`};`,
    `    readonly answer: ${answer};`,
    ...(stream ? [`    readonly events: { ${events.join('; ')} };`] : []),
    '  };',
  ].join('\n');
}

/** A body may be left out if none of its fields is required. */
function isOptional(schema, components) {
  const { required = [] } = schema.$ref ? components.schemas[schema.$ref.replace(REFERENCE, '')] : schema;
  return required.length === 0;
}

function queryType({ enum: values }) {
  return values
    ? `${values.map((value) => JSON.stringify(value).replaceAll('"', "'")).join(' | ')} | undefined`
    : 'QueryValue';
}

/** A schema as a TypeScript type. */
function typeOf(schema, nameOf) {
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum) return schema.enum.map(literal).join(' | ');
  if (schema.anyOf) return schema.anyOf.map((each) => typeOf(each, nameOf)).join(' | ');
  switch (schema.type) {
    case 'array':
      return `readonly (${typeOf(schema.items ?? {}, nameOf)})[]`;
    case 'object':
      return objectType(schema, nameOf);
    case 'integer':
    case 'number':
      return 'number';
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type;
    default:
      return 'unknown';
  }
}

function objectType({ properties, required = [], additionalProperties, patternProperties }, nameOf) {
  if (!properties) {
    const [values = additionalProperties] = Object.values(patternProperties ?? {});
    return `Readonly<Record<string, ${typeof values === 'object' ? typeOf(values, nameOf) : 'unknown'}>>`;
  }
  const fields = Object.entries(properties).map(
    ([name, schema]) => `readonly ${quoted(name)}${required.includes(name) ? '' : '?'}: ${typeOf(schema, nameOf)}`,
  );
  return `{ ${fields.join('; ')} }`;
}

function literal(value) {
  return typeof value === 'string' ? `'${value}'` : String(value);
}

function quoted(name) {
  return /^[a-z]\w*$/i.test(name) ? name : `'${name}'`;
}
