/** Checks the file with the JSON Schema of all bodies and answers, which clients in other languages use. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { Compile } from 'typebox/schema';
import * as schemas from './schemas.ts';

const FILE = new URL('../../../protocol/schema/admin.schema.json', import.meta.url);

function definitions(): Record<string, object> {
  const named = Object.entries(schemas).filter(([name]) => name.endsWith('Schema'));
  return Object.fromEntries(named.sort().map(([name, schema]) => [name.slice(0, -'Schema'.length), schema]));
}

test('admin.schema.json is current: UPDATE=1 writes it', () => {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Rollcall admin API',
    description: 'Bodies, queries and answers by name; /openapi.json of a coordinator describes its paths.',
    $defs: definitions(),
  };
  const text = `${JSON.stringify(schema, undefined, 2)}\n`;
  if (process.env['UPDATE']) writeFileSync(FILE, text);
  assert.equal(readFileSync(FILE, 'utf8'), text, 'run it with UPDATE=1');
});

test('admin.schema.json accepts and refuses bodies as the admin API does', () => {
  const file = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, object>;
  const accepts = (name: string, body: object) => Compile({ ...file, $ref: `#/$defs/${name}` }).Check(body);
  assert.ok(accepts('NodePut', { url: 'http://10.0.0.5:3000', weight: 2 }));
  assert.ok(!accepts('NodePut', { weight: 2 }));
  assert.ok(!accepts('NodePut', { url: 'http://10.0.0.5:3000', wieght: 2 }));
  assert.ok(!accepts('StatusBody', { reason: 'a\nb' }));
});
