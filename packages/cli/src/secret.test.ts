import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { listening } from '@rollcall/agent/testing';
import { AdminClient } from './admin-client.ts';
import { CliFailure } from './exit.ts';
import { secretFrom } from './secret.ts';

test('a secret of a variable is trimmed as one of a file is; white space only is unset', () => {
  assert.equal(secretFrom('TOKEN', { TOKEN: 'abc\n' }), 'abc');
  assert.equal(secretFrom('TOKEN', { TOKEN: ' \n' }), undefined);
});

test('an admin token arrives without the newline at its end; one that fits no header is refused unprinted', async (t) => {
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
  await client.get('/v1/status');
  assert.deepEqual(fields, [undefined, 'Bearer s3cret']);
  await assert.rejects(AdminClient.connect({ coordinator }, { ROLLCALL_ADMIN_TOKEN: 's3cret\nline' }), (error) => {
    assert.ok(error instanceof CliFailure);
    assert.equal(error.exitCode, 2);
    assert.doesNotMatch(error.message, /s3cret/);
    return true;
  });
});
