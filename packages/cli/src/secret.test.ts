import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { listening } from '@rollcall/agent/testing';
import { AdminClient } from './admin-client.ts';
import { CliFailure } from './exit.ts';
import { secretFrom } from './secret.ts';

test('secrets of variables and files are trimmed; an empty variable is unset, with a warning', () => {
  const warnings: string[] = [];
  const secret = (environment: NodeJS.ProcessEnv) =>
    secretFrom('TOKEN', environment, { consequence: 'there is none', warn: (line) => void warnings.push(line) });
  assert.equal(secret({ TOKEN: 'abc\n', TOKEN_FILE: '' }), 'abc');
  assert.equal(secret({}), undefined);
  assert.deepEqual(warnings, []);
  assert.equal(secret({ TOKEN: ' \n' }), undefined);
  assert.equal(secret({ TOKEN_FILE: '' }), undefined);
  assert.deepEqual(warnings, ['TOKEN is set but empty: there is none', 'TOKEN_FILE is set but empty: there is none']);
});

test('an admin token is sent without its trailing newline; an invalid token is refused and not printed', async (t) => {
  const fields: (string | undefined)[] = [];
  const port = await listening(
    t,
    createServer((request, response) => {
      fields.push(request.headers.authorization);
      response.end(request.url === '/livez' ? 'ok\n' : '{}');
    }),
  );
  const coordinator = `127.0.0.1:${port}`;
  const client = await AdminClient.connect({ coordinator }, { ROLLCALL_ADMIN_TOKEN: 's3cret\n' });
  await client.call('getStatus');
  assert.deepEqual(fields, [undefined, 'Bearer s3cret']);
  await assert.rejects(AdminClient.connect({ coordinator }, { ROLLCALL_ADMIN_TOKEN: 's3cret\nline' }), (error) => {
    assert.ok(error instanceof CliFailure);
    assert.equal(error.exitCode, 2);
    assert.doesNotMatch(error.message, /s3cret/);
    return true;
  });
});
