/** An orderly SIGTERM resets no request: open connections are answered, later ones are refused. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Site, until } from '../site/site.ts';

const CLIENTS = 16;
/** Duration of a request at a node, milliseconds. */
const WORK_MS = 20;

type Outcome = 'whole' | 'refused' | string;

/** One request; `refused` when there is no port to connect to. */
function ask(port: number, agent: http.Agent | false, method: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const request = http.request({ host: '127.0.0.1', port, agent, path: '/work', method }, (response) => {
      let text = '';
      response.on('data', (octets: Buffer) => {
        text += octets.toString();
      });
      response.on('error', (error) => resolve(error.message));
      response.on('end', () => resolve(response.statusCode === 200 ? text : `${response.statusCode}`));
    });
    request.on('error', (error: NodeJS.ErrnoException) =>
      resolve(
        error.code === 'ECONNREFUSED'
          ? 'refused'
          : `${error.message} on a ${request.reusedSocket ? 'reused' : 'fresh'} connection`,
      ),
    );
    request.end(method === 'POST' ? 'body' : undefined);
  });
}

for (const [what, flags] of [
  ['one worker', []],
  ['two workers', ['--workers', '2']],
  ['one worker and a static process', ['--static']],
] as const)
  test(`SIGTERM to ${what} under requests on kept and on new connections fails none`, async (t) => {
    const isStatic = flags[0] === '--static';
    const directory = mkdtempSync(join(tmpdir(), 'rollcall-orderly-end-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    writeFileSync(join(directory, 'work'), 'whole');
    const site = await Site.start(t, { flags: isStatic ? [...flags, `/=${directory}`] : flags });
    if (!isStatic)
      await site.addNode('first', { balancer: 'shop' }, (_, response) => {
        setTimeout(() => response.end('whole'), WORK_MS);
      });
    const method = isStatic ? 'GET' : 'POST';
    await until(async () => (await ask(site.proxyPort, false, method)) === 'whole', 'nothing is served');
    const outcomes = new Map<Outcome, number>();
    const clients = Array.from({ length: CLIENTS }, async (_, i) => {
      const agent = i % 2 === 0 && new http.Agent({ keepAlive: true, maxSockets: 1 });
      let outcome: Outcome = '';
      while (outcome !== 'refused') {
        outcome = await ask(site.proxyPort, agent, method);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        await sleep(randomInt(agent ? 30 : 5));
      }
      if (agent) agent.destroy();
    });
    await until(() => (outcomes.get('whole') ?? 0) > 300, 'too little is answered');
    const before = outcomes.get('whole')!;
    site.signalUp('SIGTERM');
    await Promise.all(clients);
    t.diagnostic(`${outcomes.get('whole')} requests, ${outcomes.get('whole')! - before} of them after SIGTERM`);
    assert.deepEqual([...outcomes.keys()].sort(), ['refused', 'whole']);
  });
