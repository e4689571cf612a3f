/** `kill -9` of `rollcall up` itself, and a start on the same state and ports at once, as a service manager does it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

const PROGRAM =
  "require('node:http').createServer((q, s) => s.end(process.env.ROLLCALL_NODE_ID)).listen(process.env.PORT, '127.0.0.1')";

test('after kill -9 of up a new start keeps all sessions on their nodes, and the programs register again', async (t) => {
  const site = await Site.start(t);
  const ids = ['a', 'b', 'c'];
  for (const id of ids) site.start(['run', '--id', id, '--', process.execPath, '-e', PROGRAM]);
  const isUp = async (id: string) => (await site.node(id))?.liveness === 'up';
  for (const id of ids) await until(() => isUp(id), `${id} is not up`);
  await site.isCurrent();
  const visitors = Array.from({ length: 12 }, () => new Visitor(site.proxyPort));
  const homes: string[] = [];
  for (const visitor of visitors) homes.push((await visitor.get('/')).body);
  assert.deepEqual([...new Set(homes)].sort(), ids);

  await site.restart([], 'SIGKILL');
  for (const [i, visitor] of visitors.entries()) {
    const { status, body } = await visitor.get('/');
    assert.deepEqual([status, body], [200, homes[i]]);
  }
  for (const id of ids) await until(() => isUp(id), `${id} does not return`);
});
