/** Rows C63–C65: effects of writes to the admin API, texts in logs, and random ids. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Problem } from '@rollcall/protocol';
import { until } from '../site/site.ts';
import { RawClient } from './client.ts';
import { Target } from './target.ts';

let target: Target;

before(async () => {
  target = await Target.start({ flags: ['--log-level', 'info'] });
});
after(() => target.close());
afterEach(() => target.assertUnharmed());

async function write(
  method: string,
  path: string,
  body: string,
  contentType: string | undefined = 'application/json',
): Promise<{ readonly status: number; readonly problem: Problem }> {
  const response = await fetch(target.site.controlUrl + path, {
    method,
    headers: {
      authorization: `Bearer ${target.adminToken()}`,
      ...(contentType !== undefined && { 'content-type': contentType }),
    },
    body,
  });
  return { status: response.status, problem: (await response.json()) as Problem };
}

test('C63: a body of 10 MiB gets 413', async () => {
  const { host, port } = new URL(target.site.controlUrl);
  const client = await RawClient.connect(Number(port));
  const fields = [
    `Host: ${host}`,
    `Authorization: Bearer ${target.adminToken()}`,
    'Content-Type: application/json',
    `Content-Length: ${10 * 1024 * 1024}`,
  ];
  // Refused by the announced length, before any of it is sent.
  client.send(`POST /v1/explain HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`);
  await until(() => client.received.includes('\r\n\r\n'), 'no answer');
  assert.equal(client.status, 413);
  client.close();
  const chunked = await RawClient.connect(Number(port));
  fields[3] = 'Transfer-Encoding: chunked';
  const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`;
  chunked.send(`POST /v1/explain HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n${chunk}${chunk}`);
  await until(() => chunked.received.includes('\r\n\r\n'), 'no answer');
  assert.equal(chunked.status, 413);
  chunked.close();
});

test('C63: nested, broken and wrongly typed bodies get 400, other content types 415, unknown things 404', async () => {
  const drain = '/v1/nodes/bystander/drain';
  // `null` is the same as no body.
  for (const body of ['{', '[]', '"x"', '5', `${'['.repeat(20_000)}`, '{"reason":5}', '{"deadlineMs":"1"}']) {
    const { status, problem } = await write('POST', drain, body);
    assert.equal(status, 400, body.slice(0, 20));
    assert.equal(problem.status, 400);
    assert.match(problem.code, /^bad-/);
  }
  const deep = `{"reason":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`;
  assert.equal((await write('POST', drain, deep)).status, 400);
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
  ])
    assert.equal((await write('POST', drain, '{}', type)).status, 415, type);
  assert.equal((await write('POST', '/v1/nodes/nothing/drain', '{}')).status, 404);
  assert.equal((await write('PATCH', '/v1/nodes/nothing', '{"weight":2}')).status, 404);
  assert.equal((await write('DELETE', '/v1/nodes/nothing', '{}')).status, 404);
  assert.equal((await write('POST', '/v1/balancers/nothing/drain', '{}')).status, 404);
  assert.equal((await target.resource('bystander'))?.status, 'enabled');
});

test('C63: drains and enables at once leave the node in one of the two, and a repeat changes nothing', async () => {
  const agent = await target.agent();
  await agent.register(await target.node('torn'));
  const verbs = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'drain' : 'enable'));
  const answers = await Promise.all(verbs.map((verb) => write('POST', `/v1/nodes/torn/${verb}`, '{"force":true}')));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  const { status } = (await target.resource('torn'))!;
  assert.ok(status === 'enabled' || status === 'draining', status);
  for (const [verb, expected] of [
    ['drain', 'draining'],
    ['enable', 'enabled'],
  ] as const) {
    await write('POST', `/v1/nodes/torn/${verb}`, '{"force":true}');
    const again = await target.site.admin<{ isChanged: boolean }>('POST', `/v1/nodes/torn/${verb}`, { force: true });
    assert.deepEqual([again.status, again.body.isChanged], [200, false]);
    assert.equal((await target.resource('torn'))?.status, expected);
  }
  agent.close();
});

test('C64: control characters of paths, fields and texts do not break a line of the log or the audit', async () => {
  const { host, port } = new URL(target.site.controlUrl);
  const forged = '{"level":30,"msg":"admin logged in"}';
  const fields = `Host: ${host}\r\nConnection: close\r\nUser-Agent: a\u001b[2J${forged}`;
  for (const path of [
    '/v1/%0a%0d%1b[2J',
    `/v1/nodes/%0a${encodeURIComponent(forged)}`,
    '/\u001b[2J',
    `/${'x'.repeat(9_000)}`,
  ]) {
    const client = await RawClient.connect(Number(port));
    client.send(`DELETE ${path} HTTP/1.1\r\n${fields}\r\n\r\n`);
    await client.ended();
    assert.ok(client.status >= 400 && client.status < 500, `${JSON.stringify(path.slice(0, 30))}: ${client.status}`);
    client.close();
  }
  const { status } = await write('POST', '/v1/nodes/bystander/enable', JSON.stringify({ reason: `a\n${forged}` }));
  assert.ok(status === 200 || status === 400, String(status));
  const agent = await target.agent();
  for (const type of [`a\n${forged}`, '\u001b[2J']) {
    agent.send({ type });
    assert.equal((await agent.next()).code, 'unknown-message');
  }
  agent.close();
  await until(() => target.audit().some(({ code }) => code === 'unknown-message'), 'no line of the audit');
  const lines = target.site.log.split('\n').filter((line) => line !== '');
  for (const line of [...lines, ...target.audit().map((entry) => JSON.stringify(entry))]) {
    assert.notEqual(line, forged);
    assert.equal(typeof JSON.parse(line), 'object');
    assert.doesNotMatch(line, /[\u0000-\u001f\u007f]/);
    assert.ok(line.length < 4_096, `${line.length} characters`);
  }
});

test('C65: ids that have gone leave no label in the metrics', async () => {
  const ids = Array.from({ length: 40 }, (_, i) => `random-${i}`);
  const labels = async (): Promise<number> => {
    const names = [...(await target.read('/metrics')).matchAll(/random-\d+/g)].map(([name]) => name);
    return new Set(names).size;
  };
  const agents = [];
  for (const id of ids) {
    const agent = await target.agent();
    await agent.register(await target.node(id));
    agents.push(agent);
  }
  assert.equal(await labels(), ids.length);
  for (const agent of agents) {
    agent.send({ type: 'leave' });
    assert.equal(await agent.closed, 1000);
  }
  await until(async () => (await labels()) === 0, 'labels are left');
});
