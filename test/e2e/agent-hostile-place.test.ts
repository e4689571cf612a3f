/** The SDK in a deleted directory, without host name, /proc, /sys and a logger: a real program, a real coordinator. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { defaultNodeId, RollcallNode } from '@rollcall/agent';
import { TYPESCRIPT } from '../site/commands.ts';
import { startUp, type Up } from './up.ts';

const PROGRAM = fileURLToPath(new URL('agent-programs/hostile.ts', import.meta.url));
/** Output of the program itself, between its entry points. */
const OWN_STEPS = ['listen', 'reported'];

interface Line {
  readonly entry?: string;
  readonly gave?: unknown;
  readonly code?: string;
  readonly message?: string;
}

let up: Up;
before(async () => {
  up = await startUp();
});
after(() => up.close());

for (const logger of ['console', 'log'])
  test(`no entry point throws where nothing can be read and ${logger} throws, and the node registers`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'rollcall-deleted-'));
    const child = spawn(process.execPath, [...TYPESCRIPT, PROGRAM, directory, logger], {
      env: { ...process.env, PWD: directory, HOSTNAME: 'box', ROLLCALL_URL: up.controlUrl },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.after(() => child.kill('SIGKILL'));
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr += String(data);
    });
    const lines: Line[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line) as Line));
    assert.deepEqual(await once(child, 'close'), [0, null], stderr);
    const entries = lines.filter(({ entry }) => entry !== undefined);
    for (const line of entries) assert.ok(!('threw' in line), JSON.stringify(line));
    assert.deepEqual(
      lines.filter((line) => 'uncaught' in line),
      [],
    );
    const members = Object.getOwnPropertyNames(RollcallNode.prototype).filter((name) => name !== 'constructor');
    assert.deepEqual(
      entries
        .map(({ entry }) => entry!)
        .filter((name) => !OWN_STEPS.includes(name))
        .sort(),
      [...members, 'rollcall', 'sessionId'].sort(),
      'every entry point is in the table of the program',
    );
    const gave = Object.fromEntries(entries.map(({ entry, gave: value }) => [entry, value]));
    const { url } = await up.api<{ url: string }>('GET', `/v1/nodes/${gave['id']}`);
    const expected = defaultNodeId('shop', { hostname: 'box', directory, slot: Number(new URL(url).port) });
    assert.deepEqual(
      [gave['id'], gave['sessionId'], gave['isRegistered'], gave['drain']],
      [expected, `s.${expected}`, true, 'drained'],
    );
    assert.deepEqual(
      lines.flatMap(({ code }) => code ?? []),
      ['weak-identity', 'metric-failed'],
      'one for the place, and one for the metric that throws',
    );
  });
