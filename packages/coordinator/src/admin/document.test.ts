/** The OpenAPI document: what a generated client needs of every operation, and the names of the schemas. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERROR_CODES, isErrorCode } from '@rollcall/protocol';
import { startTestCoordinator } from '../testing/test-coordinator.ts';
import { namedSchemas } from './document.ts';

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly object[];
  readonly 'x-role'?: string;
  readonly description?: string;
  readonly parameters?: readonly { readonly name: string; readonly description?: string }[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: object }>>;
}

interface Document {
  readonly openapi: string;
  readonly servers: readonly object[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

async function documentOf(): Promise<Document> {
  const { api, close } = await startTestCoordinator();
  try {
    return (await api('/openapi.json')).json<Document>();
  } finally {
    await close();
  }
}

const document = await documentOf();
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
);

test('every operation has what a generated client and its reader need', () => {
  assert.ok(operations.length >= 40, `${operations.length} operations`);
  const tags = new Set(document.tags.map(({ name }) => name));
  for (const { name, operation } of operations) {
    const { operationId, summary, security, parameters = [], responses, description = '' } = operation;
    assert.match(operationId ?? '', /^[a-z]+(?:[A-Z][a-z]+)*$/, `${name}: operationId`);
    assert.ok(summary, `${name}: summary`);
    assert.ok((operation.tags ?? []).length === 1 && tags.has(operation.tags![0]!), `${name}: tag ${operation.tags}`);
    assert.ok(security && security.length > 0, `${name}: security`);
    assert.match(description, new RegExp(`Role: ${operation['x-role']}\\.`), `${name}: role`);
    for (const parameter of parameters) assert.ok(parameter.description, `${name}: parameter ${parameter.name}`);
    assert.ok(
      Object.keys(responses).some((status) => status.startsWith('4')),
      `${name}: 4xx`,
    );
    for (const [status, answer] of Object.entries(responses)) {
      assert.match(status, /^\d{3}$/, `${name}: ${status} is a range`);
      assert.notEqual(answer.description, 'Default Response', `${name}: ${status}`);
    }
  }
  const ids = operations.map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length, 'each operationId is there once');
  assert.ok(document.servers.length > 0);
});

test('error answers have the statuses of their codes, and one media type', () => {
  for (const { name, operation } of operations)
    for (const [status, { description, content = {} }] of Object.entries(operation.responses)) {
      if (Number(status) < 400) continue;
      assert.deepEqual(Object.keys(content), ['application/problem+json'], `${name}: ${status}`);
      const codes = [...description.matchAll(/`([a-z-]+)`:/g)].map(([, code]) => code!);
      assert.ok(codes.length > 0, `${name}: ${status} has no code`);
      for (const code of codes)
        assert.equal(isErrorCode(code) && ERROR_CODES[code].http, Number(status), `${name}: ${code}`);
    }
});

test('schemas have the names of their types, and each reference has its schema', () => {
  const { schemas } = document.components;
  for (const name of ['NodeResource', 'WriteResult', 'StatusResource', 'BalancerPatch', 'Problem', 'EventResource'])
    assert.ok(schemas[name], name);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
  assert.ok(references.length > 100, `${references.length} references`);
  for (const [, name] of references) assert.ok(schemas[name!], name);
});

test('two different schemas with one title are refused; a property may be called title', () => {
  const withAnswers = (...schemas: object[]) => ({
    paths: { '/a': { get: { responses: Object.fromEntries(schemas.map((schema, i) => [`20${i}`, { schema }])) } } },
  });
  const one = { title: 'One', type: 'object', properties: { title: { type: 'string' } } };
  const named = namedSchemas(withAnswers(one, one)) as unknown as Document;
  assert.deepEqual(named.components.schemas, {
    One: { type: 'object', properties: { title: { type: 'string' } } },
  });
  assert.throws(() => namedSchemas(withAnswers(one, { ...one, type: 'array' })), /title One differ/);
});
