/** The files made of the OpenAPI document: the document itself for clients in other languages, and the operations of our own client. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { startTestCoordinator } from '../testing/test-coordinator.ts';

const FILES = {
  document: new URL('../../../protocol/schema/openapi.json', import.meta.url),
  operations: new URL('../../../admin-client/src/operations.ts', import.meta.url),
};
// A module without types.
const { operationsText } = (await import(new URL('../../../../.tools/admin-operations.mjs', import.meta.url).href)) as {
  operationsText: (document: object) => string;
};

test('openapi.json and the operations of the client are current: UPDATE=1 writes them', async () => {
  // The files do not change with a release: `version` is that of the API.
  const { api, close } = await startTestCoordinator({ version: 'v1' });
  try {
    const document = (await api('/openapi.json')).json<object>();
    const texts = { document: `${JSON.stringify(document, undefined, 2)}\n`, operations: operationsText(document) };
    for (const [name, file] of Object.entries(FILES)) {
      const text = texts[name as keyof typeof texts];
      if (process.env['UPDATE']) writeFileSync(file, text);
      assert.ok(existsSync(file) && readFileSync(file, 'utf8') === text, `${file.pathname}: run it with UPDATE=1`);
    }
  } finally {
    await close();
  }
});
