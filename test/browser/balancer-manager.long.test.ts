/** The page in a real browser, with a real coordinator and proxy. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { launchChromium, noChromium } from './chromium.ts';
import { SmallCluster } from './small-cluster.ts';

/** Directory for screenshots of the pages: `ROLLCALL_SCREENSHOTS=DIR`. */
const SCREENSHOTS = process.env['ROLLCALL_SCREENSHOTS'];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SIZES = [
  { width: 360, height: 740 },
  { width: 768, height: 900 },
  { width: 1280, height: 800 },
] as const;

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

describe('the page in a browser', { skip: noChromium }, () => {
  let browser: Browser;
  let visitor: BrowserContext;
  let page: Page;
  let cluster: SmallCluster;
  /** Errors of the browser: broken scripts, refused content. */
  const complaints: string[] = [];

  before(async () => {
    cluster = await SmallCluster.start();
    browser = await launchChromium();
    visitor = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    page = await visitor.newPage();
    page.setDefaultTimeout(15_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      // Some of these tests cause refused requests on purpose.
      if (message.type() === 'error' && !/Failed to load resource|ERR_/.test(message.text()))
        complaints.push(message.text());
    });
  });

  after(async () => {
    await browser?.close();
    await cluster?.close();
  });

  const row = (id: string): Locator => page.locator(`tr[data-node="${id}"]`);
  const button = (id: string, verb: string): Locator => row(id).getByRole('button', { name: verb });
  const dialog = (): Locator => page.locator('dialog[open]');
  const open = async (path: string): Promise<void> => {
    await page.goto(`${cluster.controlUrl}${path}`);
    await page.locator('main').waitFor();
  };
  const textOf = async (locator: Locator): Promise<string> => (await locator.textContent()) ?? '';
  const statusOf = async (id: string): Promise<unknown> => (await cluster.node(id))['status'];

  /** Looks at the open view in three widths and both themes: no sideways scrolling, and nothing that axe finds. */
  const look = async (name: string): Promise<void> => {
    const before = page.viewportSize()!;
    for (const size of SIZES)
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize(size);
        await page.emulateMedia({ colorScheme });
        await page.waitForFunction('document.documentElement.scrollWidth <= innerWidth', undefined, { timeout: 5_000 });
        if (SCREENSHOTS !== undefined)
          await page.screenshot({ path: `${SCREENSHOTS}/${name}-${size.width}-${colorScheme}.png` });
      }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize(before);
    const audit = await browser.newContext({ bypassCSP: true, viewport: before });
    const copy = await audit.newPage();
    await copy.goto(page.url());
    await copy.locator('main h2, main h3, main li').first().waitFor();
    await copy.evaluate(AXE);
    const { violations } = await copy.evaluate<{ violations: readonly Violation[] }>('axe.run()');
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
    await audit.close();
    assert.deepEqual(found, [], name);
  };

  test('with no nodes it shows the command that adds one', async () => {
    const response = await page.goto(`${cluster.controlUrl}/balancer-manager`);
    assert.match(response?.headers()['content-security-policy'] ?? '', /default-src 'none'; script-src 'self'/);
    await page.getByText('rollcall run').first().waitFor();
    await look('empty');
  });

  test('nodes appear without a reload, with their numbers and the verdict', async () => {
    await page.evaluate('window.isSamePage = true');
    await cluster.addNode('shop-1', { balancer: 'shop', contexts: ['/'], load: 0.25, sessions: 12 });
    await cluster.addNode('shop-2', { balancer: 'shop', contexts: ['/'], load: 0.9, sessions: 40, ttlMs: 600_000 });
    await cluster.addNode('wiki-1', { balancer: 'wiki', contexts: ['/wiki'] });
    await row('wiki-1').getByText('up').waitFor();
    for (const shown of ['shop-1', '127.0.0.1:', 'up', '25 %', '12'])
      await row('shop-1').getByText(shown).first().waitFor();
    await row('shop-2').getByText('90 %').waitFor();
    assert.equal(await page.evaluate('window.isSamePage'), true);
    await page.getByText('All well').waitFor();
    assert.match(await page.title(), /^All well: 3 of 3 nodes up/);
    await look('all-well');
  });

  test('without a login there are no buttons that act', async () => {
    assert.equal(await button('shop-1', 'drain').count(), 0);
    await page.getByRole('button', { name: 'Log in' }).waitFor();
  });

  test('a drain shows its effect first; its reason never becomes markup', async () => {
    await page.goto(cluster.loginUrl);
    await page.waitForURL('**/balancer-manager');
    await button('shop-1', 'drain').click();
    await dialog().getByText('12 sessions').first().waitFor();
    await dialog().getByLabel('Reason').fill('deploy <b>1.5</b> <img src=x onerror=alert(1)>');
    await page.keyboard.press('Enter');
    await dialog().waitFor({ state: 'detached' });
    await row('shop-1').getByText('draining').waitFor();
    assert.equal(await statusOf('shop-1'), 'draining');
    await open('/balancer-manager?view=drains');
    await page.getByText('12 sessions left').waitFor();
    await page.getByText('<b>1.5</b> <img src=x').waitFor();
    await open('/balancer-manager?view=events');
    await page.getByText('<b>1.5</b> <img src=x').first().waitFor();
    assert.equal(await page.locator('main img, main b').count(), 0);
    await look('events');
    await open('/balancer-manager?view=drains');
    await page.getByText('12 sessions left').waitFor();
    await look('drains');
    await page.getByRole('button', { name: 'Undo' }).click();
    await dialog().getByRole('button', { name: 'enable' }).click();
    await dialog().waitFor({ state: 'detached' });
    assert.equal(await statusOf('shop-1'), 'enabled');
  });

  test('a stop that leaves visitors without a node needs the name of the balancer; cancelling changes nothing', async () => {
    await open('/balancer-manager');
    await button('wiki-1', 'stop').click();
    await dialog().getByText('Type wiki to confirm').waitFor();
    const stop = dialog().getByRole('button', { name: 'stop' });
    assert.equal(await stop.isDisabled(), true);
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'detached' });
    assert.equal(await statusOf('wiki-1'), 'enabled');
    await button('wiki-1', 'stop').click();
    await dialog().getByLabel('Type wiki to confirm').fill('wiki');
    await stop.click();
    await row('wiki-1').getByText('stopped').waitFor();
    assert.equal((await fetch(`${cluster.proxyUrl}/wiki`)).status, 503);
    await page.getByText('visitors of wiki get 503').first().waitFor();
    await look('stopped');
    await button('wiki-1', 'enable').focus();
    await page.keyboard.press('Enter');
    await dialog().getByRole('button', { name: 'enable' }).focus();
    await page.keyboard.press('Enter');
    await row('wiki-1').getByText('up').waitFor();
  });

  test('keys act on rows, and search finds states', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('wiki');
    await row('shop-1').waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await row('shop-1').waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    await page.keyboard.press('d');
    await dialog().getByText('drain shop-2').waitFor();
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'detached' });
  });

  test('a node has a page with the reasons of its share and its events', async () => {
    await open('/balancer-manager?view=node&node=shop-2');
    for (const shown of ['load 90 %: load factor 10', 'operator requests', 'fair share', 'As JSON'])
      await page.getByText(shown).first().waitFor();
    await look('node');
  });

  test('server-status names the worker, and explains a request by its id', async () => {
    const { status } = await fetch(`${cluster.proxyUrl}/wiki`, { headers: { 'x-request-id': 'seen-in-a-browser' } });
    assert.equal(status, 200);
    await open('/server-status');
    await page.locator('tbody tr').first().waitFor();
    await page.getByLabel('X-Request-Id').fill('seen-in-a-browser');
    await page.keyboard.press('Enter');
    await page.locator('.past li').first().waitFor();
    assert.match(await textOf(page.locator('.past ol')), /answered with 200/);
    await look('requests');
  });

  test('text that a node sets never becomes markup, wherever it is shown', async () => {
    const evil = '"><img src=x onerror=document.title=1>';
    const leave = await cluster.addAgent('evil-1', {
      balancer: 'evil',
      contexts: [{ path: '/evil' }],
      version: evil.slice(0, 32),
      group: 'g',
    });
    for (const path of [
      '/balancer-manager',
      '/balancer-manager?view=node&node=evil-1',
      '/balancer-manager?view=events',
    ]) {
      await open(path);
      await page.getByText('evil').first().waitFor();
      assert.equal(await page.locator('main img').count(), 0);
    }
    await leave();
  });

  test('a program on another port of the host does not see the login, and its page cannot act with it', async () => {
    const seen: string[] = [];
    const program = createServer((request, response) => {
      seen.push(request.headers.cookie ?? '');
      response.setHeader('set-cookie', ['own=1; Path=/', 'rollcall_login_1=planted; Path=/']);
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>a page of a node</title>');
    });
    program.listen(0, '127.0.0.1');
    await once(program, 'listening');
    await cluster.addProgram('spy-1', (program.address() as AddressInfo).port, { balancer: 'spy', contexts: ['/spy'] });
    const site = await visitor.newPage();
    await site.goto(`${cluster.proxyUrl}/spy`);
    await site.reload();
    assert.ok(seen.length >= 2 && seen.at(-1)!.includes('own=1'), seen.join(' | '));
    assert.ok(!seen.join().includes('rollcall_login'), seen.join(' | '));
    const names = (await visitor.cookies()).map(({ name }) => name);
    assert.ok(
      names.includes(`rollcall_login_${new URL(cluster.controlUrl).port}`) && !names.includes('rollcall_login_1'),
    );
    // The browser sends the cookie along to the control port: it comes to nothing, and the answer is not shown to the page.
    const write = `fetch('${cluster.controlUrl}/v1/nodes/shop-2/drain', { method: 'POST', credentials: 'include', mode: 'no-cors', body: '{}' }).then(() => 'answered', () => 'no answer')`;
    assert.equal(await site.evaluate(write), 'no answer');
    assert.equal((await cluster.node('shop-2'))['status'], 'enabled');
    await site.close();
    program.closeAllConnections();
    program.close();
    await cluster.removeNode('spy-1');
  });

  test('after a logout nothing acts, and the login is gone from the list', async () => {
    await open('/balancer-manager');
    assert.equal((await cluster.logins()).length, 1);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    await row('shop-2').waitFor();
    assert.equal(await button('shop-2', 'drain').count(), 0);
    assert.deepEqual(await cluster.logins(), []);
    assert.ok(!(await visitor.cookies()).some(({ name }) => name.startsWith('rollcall_login')));
  });

  test('a thousand nodes are few elements, and each can be found', async () => {
    const ids = Array.from({ length: 1_000 }, (_, i) => `many-${String(i).padStart(3, '0')}`);
    const program = createServer((_, response) => response.end('many\n')).listen(0, '127.0.0.1');
    await once(program, 'listening');
    const { port } = program.address() as AddressInfo;
    // Each node needs an address of its own: loopback has many.
    for (let at = 0; at < ids.length; at += 50)
      await Promise.all(
        ids.slice(at, at + 50).map((id, i) =>
          cluster.addAt(id, `http://127.0.${1 + Math.floor((at + i) / 250)}.${1 + ((at + i) % 250)}:${port}`, {
            balancer: 'many',
            contexts: ['/many'],
          }),
        ),
      );
    await open('/balancer-manager');
    await page.getByText('many-0').first().waitFor();
    const elements = await page.evaluate<number>('document.querySelectorAll("*").length');
    assert.ok(elements < 3_000, `${elements} elements`);
    await page.keyboard.press('/');
    await page.keyboard.type('many-777');
    await row('many-777').waitFor();
    program.closeAllConnections();
    program.close();
  });

  test('a lost coordinator is shown as lost, with its last rows', async () => {
    await open('/balancer-manager?q=shop');
    await row('shop-1').waitFor();
    await cluster.stop();
    await page
      .getByText(/not live|lost|no answer/i)
      .first()
      .waitFor();
    assert.equal(await row('shop-1').count(), 1);
    if (SCREENSHOTS !== undefined) await page.screenshot({ path: `${SCREENSHOTS}/lost-1280-light.png` });
  });

  test('nothing was broken and nothing was refused by the content security policy', () => {
    assert.deepEqual(complaints, []);
  });
});
