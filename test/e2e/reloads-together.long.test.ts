/** Reloads that come together, and one that starts a control process which cannot serve. Beside `reload.long.test.ts`. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Site, until } from '../site/site.ts';
import { slowly, startLoad } from './reload-load.ts';

/** Ways to ask for several reloads at once; `change` gives each its own settings. */
const TOGETHER: Readonly<Record<string, (site: Site, change: () => void) => Promise<unknown>>> = {
  'a signal and a command': async (site, change) => {
    site.signalUp('SIGHUP');
    change();
    const { code, stderr } = await site.cli('reload');
    assert.deepEqual([code, stderr], [0, '']);
  },
  'five signals and two commands': async (site, change) => {
    const commands = [site.cli('reload'), site.cli('reload')];
    for (let i = 0; i < 5; i++) site.signalUp('SIGHUP');
    for (const { code, stderr } of await Promise.all(commands)) assert.deepEqual([code, stderr], [0, '']);
    change();
    site.signalUp('SIGHUP');
  },
};

test('simultaneous reloads that change the control process run one after the other, and the site keeps serving', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-reload-'));
  t.after(() => rmSync(directory, { recursive: true }));
  let step = 0;
  // Both the workers and the control process have something new.
  const change = (): void => {
    const settings = { healthPath: `/health-${++step}`, balancers: { shop: { retries: step } } };
    writeFileSync(join(directory, 'rollcall.json'), JSON.stringify(settings));
  };
  change();
  const site = await Site.start(t, { directory });
  await site.addNode('first', { balancer: 'shop' }, slowly);
  const load = startLoad(t, site.proxyPort);
  for (const [what, ask] of Object.entries(TOGETHER)) {
    change();
    await ask(site, change);
    await until(async () => {
      const headers = { connection: 'close' };
      const health = await fetch(`http://127.0.0.1:${site.proxyPort}/health-${step}`, { headers });
      return (await health.text()) === 'ok\n';
    }, `${what}: the workers have not the last settings`);
    await until(
      async () => (await site.balancer('shop').catch(() => undefined))?.retries === step,
      `${what}: the control process has not the last settings`,
    );
    await site.isCurrent();
  }
  const { failures } = await load.end();
  assert.deepEqual(failures, []);
  assert.doesNotMatch(site.log, /internal error|restarting it/);
});

test('a control process that cannot start with new settings continues with the old ones, until the next reload', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-reload-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const holder = net.createServer().listen(0, '127.0.0.1');
  t.after(() => holder.close());
  await once(holder, 'listening');
  const taken = `127.0.0.1:${(holder.address() as net.AddressInfo).port}`;
  const write = (settings: object): void => writeFileSync(join(directory, 'rollcall.json'), JSON.stringify(settings));
  write({});
  const site = await Site.start(t, { directory });
  await site.addNode('first', { balancer: 'shop' }, slowly);
  const load = startLoad(t, site.proxyPort);
  write({ agents: taken, balancers: { shop: { retries: 1 } } });
  site.signalUp('SIGHUP');
  site.signalUp('SIGHUP');
  await until(() => site.log.includes('the control process continues with its old settings'), 'it is not reported');
  const retries = async (): Promise<number | undefined> =>
    (await site.balancer('shop').catch(() => undefined))?.retries;
  await until(async () => (await retries()) === 2, 'the old control process is not back');
  write({ balancers: { shop: { retries: 4 } } });
  site.signalUp('SIGHUP');
  await until(async () => (await retries()) === 4, 'a good reload does not mend it');
  assert.deepEqual((await load.end()).failures, []);
});
