import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { listening } from '@rollcall/agent/testing';
import { removeTraces } from './check-traces.ts';

const RUN = { run: 'protocol-check-abc123', host: 'protocol-check.invalid' };

test('traces of a check that the token cannot remove are reported with the command that removes them', async (t) => {
  let ids: readonly string[] = [];
  const port = await listening(
    t,
    createServer((request, response) => {
      if (request.url === '/livez') response.end('ok\n');
      else if (request.method === 'GET') response.end(JSON.stringify({ nodes: ids.map((id) => ({ id })) }));
      else response.writeHead(401).end('{"code":"unauthenticated","detail":"no token"}');
    }),
  );
  const target = { coordinator: `ws://127.0.0.1:${port}`, stateDir: '/none' };
  // The API of another program.
  const page = await listening(
    t,
    createServer((request, response) => response.end(request.url === '/livez' ? 'ok\n' : '<html>')),
  );
  assert.match((await removeTraces(RUN, { coordinator: `ws://127.0.0.1:${page}` }))?.cause ?? '', /JSON/);
  ids = ['n1', 'protocol-check-abc1234-0-a'];
  assert.equal(await removeTraces(RUN, target), undefined);
  ids = ['n1', 'protocol-check-abc123-0-a'];
  const traces = await removeTraces(RUN, target);
  assert.match(
    traces?.cause ?? '',
    /^no token \(\/none has no admin token .* set ROLLCALL_ADMIN_TOKEN, .* --state-dir or ROLLCALL_STATE_DIR\)$/,
  );
  assert.equal(traces?.command, 'rollcall forget --all --host protocol-check.invalid');
});
