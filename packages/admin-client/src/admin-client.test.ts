import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { AdminClient } from './admin-client.ts';
import { AdminProblem } from './admin-problem.ts';

type Listener = (request: IncomingMessage & { readonly text: string }, response: ServerResponse) => void;

/** A client of a server that answers with `listener`. */
async function clientOf(t: TestContext, listener: Listener): Promise<AdminClient> {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    listener(Object.assign(request, { text }), response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return new AdminClient({ base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix` });
}

function answer(response: ServerResponse, body: object, status = 200, fields: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...fields }).end(JSON.stringify(body));
}

test('a read has its path and query, encoded, and no body', async (t) => {
  const seen: string[] = [];
  const client = await clientOf(t, ({ method, url, text, headers }, response) => {
    seen.push(`${method} ${url} ${text} ${headers['content-type']}`);
    answer(response, { nodes: [] });
  });
  assert.deepEqual(await client.call('listNodes', { query: { balancer: 'a b', limit: 5, after: undefined } }), {
    nodes: [],
  });
  await client.call('listNodes');
  await client.call('getNode', { path: { id: '../x' } });
  assert.deepEqual(seen, [
    'GET /prefix/v1/nodes?balancer=a+b&limit=5  undefined',
    'GET /prefix/v1/nodes  undefined',
    'GET /prefix/v1/nodes/..%2Fx  undefined',
  ]);
});

test('a write sends JSON, also without a body, and If-Match; the ETag of an answer is returned', async (t) => {
  const seen: unknown[] = [];
  const client = await clientOf(t, ({ method, url, text, headers }, response) => {
    seen.push([method, url, headers['content-type'], headers['if-match'], JSON.parse(text)]);
    answer(response, { isChanged: true }, 202, { etag: '"new"' });
  });
  const input = { path: { id: 'n1' }, body: { reason: 'update' } };
  const { etag, status } = await client.exchange('drainNode', input, { ifMatch: '"old"' });
  assert.deepEqual([etag, status], ['"new"', 202]);
  await client.call('enableNode', { path: { id: 'n1' } });
  assert.deepEqual(seen, [
    ['POST', '/prefix/v1/nodes/n1/drain', 'application/json', '"old"', { reason: 'update' }],
    ['POST', '/prefix/v1/nodes/n1/enable', 'application/json', undefined, {}],
  ]);
});

test('an answer without a body is undefined, a text is a string', async (t) => {
  const client = await clientOf(t, ({ url }, response) => {
    if (url?.endsWith('info'))
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('Node: [1]');
    else response.writeHead(204).end();
  });
  assert.equal(await client.call('logout'), undefined);
  assert.equal(await client.call('getMcmpInfo'), 'Node: [1]');
});

test('a problem is an error with status, code and detail; other error answers have their text', async (t) => {
  const bodies: readonly (readonly [number, string])[] = [
    [409, JSON.stringify({ code: 'nobody-eligible', detail: 'no node would be left' })],
    [502, '<h1>Bad gateway</h1>'],
    [503, ''],
  ];
  let count = 0;
  const client = await clientOf(t, (_, response) => {
    const [status, text] = bodies[count++]!;
    response.writeHead(status).end(text);
  });
  const failure = async (): Promise<AdminProblem> => {
    const error: unknown = await client.call('getStatus').catch((reason: unknown) => reason);
    assert.ok(error instanceof AdminProblem);
    return error;
  };
  const shown = async () => {
    const { status, code, message } = await failure();
    return [status, code, message];
  };
  assert.deepEqual(await shown(), [409, 'nobody-eligible', 'no node would be left']);
  assert.deepEqual(await shown(), [502, undefined, '<h1>Bad gateway</h1>']);
  assert.deepEqual(await shown(), [503, undefined, 'the coordinator answered 503']);
});

test('follow resumes after the last event when the coordinator closes the stream, until it is aborted', async (t) => {
  const since: (string | undefined)[] = [];
  const client = await clientOf(t, ({ headers }, response) => {
    const last = headers['last-event-id'] as string | undefined;
    since.push(last);
    const id = Number(last ?? 0) + 1;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`: events\n\nid: ${id}\ndata: {"id":${id}}\n\nid: ${id + 1}\ndata: {"id":${id + 1}}\n\n`);
  });
  const abort = new AbortController();
  const ids: number[] = [];
  for await (const { event, data } of client.follow(
    'listEvents',
    {},
    { signal: abort.signal, pause: async () => {} },
  )) {
    assert.equal(event, 'message');
    ids.push(data.id);
    if (ids.length === 4) abort.abort();
  }
  assert.deepEqual(ids, [1, 2, 3, 4]);
  assert.deepEqual(since.slice(0, 2), [undefined, '2']);
});

test('follow connects again while the coordinator is down, and ends with a problem that would repeat', async (t) => {
  const free = createTcpServer();
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
  const { port } = free.address() as AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  const server = createServer((_, response) => answer(response, { code: 'forbidden', detail: 'needs viewer' }, 403));
  t.after(() => server.close());
  const client = new AdminClient({ base: `http://127.0.0.1:${port}` });
  let pauses = 0;
  const pause = async (): Promise<void> => {
    pauses += 1;
    if (pauses === 2) await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  };
  await assert.rejects(client.follow('listEvents', {}, { pause }).next(), { status: 403, code: 'forbidden' });
  assert.equal(pauses, 2);
});
