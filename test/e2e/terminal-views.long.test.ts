/** `rollcall nodes` and `rollcall top` on a real terminal, with a real `up`. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { type TestContext, test } from 'node:test';
import { NO_PTY, Pty } from '../site/pty.ts';
import { Site, until } from '../site/site.ts';

const skip = NO_PTY;
const ENTER = '\u001b[?1049h';
const LEAVE = '\u001b[?25h\u001b[?1049l';

/** A site with a node that fails and one that does not, and requests until the test ends. */
async function busySite(t: TestContext): Promise<Site> {
  const site = await Site.start(t);
  await site.addNode('shop-1', { balancer: 'shop' }, (_, response) => response.end('ok'));
  await site.addNode('shop-2', { balancer: 'shop' }, (_, response) => response.writeHead(500).end('no'));
  const timer = setInterval(() => {
    http.get({ port: site.proxyPort, agent: false }, (response) => response.resume()).on('error', () => undefined);
  }, 25);
  t.after(() => clearInterval(timer));
  return site;
}

const where = (site: Site): string => `--coordinator ${site.controlUrl} --state-dir ${site.stateDir}`;

test('nodes has colours and marks the failing node on a terminal, and neither without one', { skip }, async (t) => {
  const site = await busySite(t);
  await until(async () => /^shop-2 .*% !/m.test((await site.cli('nodes')).stdout), 'shop-2 is not marked');
  assert.doesNotMatch((await site.cli('nodes')).stdout, /\u001b|▁|▆/);
  const pty = Pty.start(t, `rollcall nodes ${where(site)}`);
  assert.equal(await pty.exit, 0);
  assert.match(pty.output, /\u001b\[31m\d+ % !\u001b\[39m/);
  for (const line of pty.output.split('\r\n')) {
    const width = line.replaceAll(/\u001b\[[0-9;]*m/g, '').length;
    assert.ok(width <= 80, `${width} columns: ${line}`);
  }
  const uncoloured = Pty.start(t, `rollcall nodes --no-color ${where(site)}`);
  assert.equal(await uncoloured.exit, 0);
  assert.doesNotMatch(uncoloured.output, /\u001b/);
  const byVariable = Pty.start(t, `rollcall nodes ${where(site)}`, { environment: { NO_COLOR: '1' } });
  assert.equal(await byVariable.exit, 0);
  assert.doesNotMatch(byVariable.output, /\u001b/);
});

test('top shows the verdict and the nodes, drains one after a confirmation, and restores the terminal', {
  skip,
}, async (t) => {
  const site = await busySite(t);
  const pty = Pty.start(t, `rollcall top ${where(site)}`, { columns: 120, rows: 40 });
  await pty.shows(/shop-1 /);
  await pty.shows(/shop-2 +shop +enabled +up, ejected .* !/);
  pty.type('jd');
  await pty.shows(/drain shop-2\? y\/N {2}\S/);
  pty.type('n');
  await pty.shows(/nothing was changed/);
  assert.equal((await site.node('shop-2'))!.status, 'enabled');
  const before = pty.output.length;
  pty.type('d');
  await pty.shows(/drain shop-2\? y\/N {2}\S/, before);
  pty.type('y');
  await until(async () => (await site.node('shop-2'))!.status === 'draining', 'shop-2 is not drained');
  await pty.shows(/shop-2 +shop +draining/);
  pty.type('q');
  assert.equal(await pty.exit, 0);
  assert.ok(pty.output.includes(ENTER));
  assert.ok(pty.output.trimEnd().endsWith(LEAVE), JSON.stringify(pty.output.slice(-80)));
});

for (const [what, end, code] of [
  ['Ctrl-C', (pty: Pty) => pty.type('\u0003'), 0],
  ['SIGTERM', (_: Pty, pid: number) => process.kill(pid, 'SIGTERM'), 143],
  ['SIGHUP', (_: Pty, pid: number) => process.kill(pid, 'SIGHUP'), 129],
] as const)
  test(`top restores the terminal after ${what}`, { skip }, async (t) => {
    const site = await Site.start(t);
    const pty = Pty.start(t, `rollcall top ${where(site)}; echo "code $?"; stty -a`);
    await pty.shows(/no nodes/);
    end(pty, pidOfTop(site));
    await pty.exit;
    assert.match(pty.output, new RegExp(`code ${code}\\b`));
    assert.ok(pty.output.includes(LEAVE));
    assert.match(
      pty.output.slice(pty.output.indexOf(LEAVE)),
      /[^-]icanon(?:.|\n)*[^-]echo\b/,
      'the mode of the terminal',
    );
  });

test('top keeps the last view while the coordinator is stopped, and recovers', { skip }, async (t) => {
  const site = await busySite(t);
  const pty = Pty.start(t, `rollcall top ${where(site)}`, { columns: 120, rows: 40 });
  await pty.shows(/shop-1 /);
  site.signalControl('SIGSTOP');
  try {
    await pty.shows(/as of \d\d:\d\d:\d\d, \d+s ago: no answer from/);
    const before = pty.output.length;
    pty.type('d');
    await pty.shows(/nothing can be changed/, before);
  } finally {
    site.signalControl('SIGCONT');
  }
  const before = pty.output.length;
  await pty.shows(/All well|problem/, before);
  pty.type('q');
  assert.equal(await pty.exit, 0);
});

test('top without a terminal is exit code 2 and names the other command', async (t) => {
  const site = await Site.start(t);
  const { code, stderr } = await site.cli('top');
  assert.equal(code, 2);
  assert.match(stderr, /top needs a terminal; without one use `rollcall nodes --watch`/);
});

/** The process of `rollcall top` of this site. */
function pidOfTop(site: Site): number {
  const pid = readdirSync('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      return words[2] === 'top' && words.includes(site.stateDir);
    } catch {
      return false;
    }
  });
  assert.ok(pid !== undefined);
  return Number(pid);
}
