/** balancer-manager and server-status in a real browser, with a real coordinator and proxy. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { launchChromium, noChromium } from './chromium.ts';
import { SmallCluster } from './small-cluster.ts';

/** Directory for screenshots of the pages: `ROLLCALL_SCREENSHOTS=DIR`. */
const SCREENSHOTS = process.env['ROLLCALL_SCREENSHOTS'];

describe('balancer-manager in a browser', { skip: noChromium }, () => {
  let browser: Browser;
  let visitor: BrowserContext;
  let page: Page;
  let cluster: SmallCluster;
  /** Errors of the browser: broken scripts, refused content. */
  const complaints: string[] = [];

  before(async () => {
    cluster = await SmallCluster.start();
    browser = await launchChromium();
    visitor = await browser.newContext({ viewport: { width: 1440, height: 900 } });
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
  const trouble = (): Locator => page.locator('#trouble');
  const dialog = (): Locator => page.locator('dialog[open]');
  const textOf = async (locator: Locator): Promise<string> => (await locator.textContent()) ?? '';
  const screenshot = async (name: string): Promise<void> => {
    if (SCREENSHOTS !== undefined) await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true });
  };
  test('with no nodes it shows the command that adds one', async () => {
    const response = await page.goto(`${cluster.controlUrl}/balancer-manager`);
    assert.match(response?.headers()['content-security-policy'] ?? '', /default-src 'none'; script-src 'self'/);
    await page.getByText(`rollcall run --coordinator ${cluster.controlUrl}`).waitFor();
    await screenshot('empty');
  });

  test('nodes appear without a reload, with their numbers', async () => {
    await page.evaluate('window.isSamePage = true');
    await cluster.addNode('shop-1', { balancer: 'shop', contexts: ['/'], load: 0.25, sessions: 12 });
    await cluster.addNode('shop-2', { balancer: 'shop', contexts: ['/'], load: 0.9, sessions: 40, ttlMs: 600_000 });
    await cluster.addNode('wiki-1', { balancer: 'wiki', contexts: ['/wiki'] });
    await row('wiki-1').waitFor();
    const text = await textOf(row('shop-1'));
    for (const shown of ['shop-1', 'http://127.0.0.1:', 'enabled', 'up', '75', '12'])
      assert.ok(text.includes(shown), text);
    assert.ok((await textOf(row('shop-2'))).includes('10'), 'the load factor is shown, higher is freer');
    assert.equal(await page.evaluate('window.isSamePage'), true);
  });

  test('a load factor is explained, and the explanation is updated', async () => {
    await button('shop-2', 'why').click();
    await dialog().getByText('Why is shop-2 at 10?').waitFor();
    const text = await textOf(dialog());
    for (const shown of ['load 90 %: load factor 10', '40', 'Fair share', '50 %'])
      assert.ok(text.includes(shown), text);
    await screenshot('explanation');
    await cluster.addNode('shop-2', { balancer: 'shop', contexts: ['/'], load: 0.9, sessions: 41, ttlMs: 600_000 });
    await dialog().getByRole('cell', { name: '41', exact: true }).waitFor();
    await dialog().getByRole('button', { name: 'Close' }).click();
    await dialog().waitFor({ state: 'detached' });
    await cluster.addNode('shop-2', { balancer: 'shop', contexts: ['/'], load: 0.9, sessions: 40, ttlMs: 600_000 });
  });

  test('requests show in the rows while the page is open', async () => {
    const requests = row('wiki-1').getByRole('cell', { name: '7', exact: true });
    assert.equal(await requests.count(), 0);
    for (let count = 0; count < 7; count++) assert.equal((await fetch(`${cluster.proxyUrl}/wiki`)).status, 200);
    // Each request is a new session as well; the last matching cell is that of the requests.
    await requests.last().waitFor();
  });

  test('without a login a change is refused and the page shows how to log in', async () => {
    // The page asks for the effect of the action before it opens the dialog.
    await button('shop-1', 'drain').click();
    await trouble().getByText('login link').waitFor();
    assert.equal((await cluster.node('shop-1'))['status'], 'enabled');
    await screenshot('no-login');
  });

  test('a drain with its reason, its progress and its event', async () => {
    await page.goto(cluster.loginUrl);
    await page.waitForURL('**/balancer-manager');
    await button('shop-1', 'drain').click();
    await screenshot('drain-dialog');
    await dialog().getByRole('textbox').fill('deploy <b>1.5</b> <img src=x onerror=alert(1)>');
    await dialog().getByRole('button', { name: 'drain' }).click();
    await row('shop-1').getByText('draining', { exact: true }).waitFor();
    await row('shop-1')
      .getByText(/12 sessions/)
      .waitFor();
    await page.locator('#events').getByText('an operator requests draining for node shop-1').waitFor();
    // The reason is shown as it was typed, and never becomes markup.
    await page.locator('#events').getByText('<b>1.5</b> <img src=x').waitFor();
    assert.equal(await page.locator('main img, #events img, #events b').count(), 0);
    await screenshot('draining');
  });

  test('a stop asks first, and cancelling it changes nothing', async () => {
    await button('shop-2', 'stop').click();
    assert.match(await textOf(dialog()), /40 sessions/);
    await screenshot('stop-dialog');
    await dialog().getByRole('button', { name: 'Cancel' }).click();
    await dialog().waitFor({ state: 'detached' });
    await button('shop-2', 'stop').click();
    await dialog().waitFor();
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'detached' });
    assert.equal((await cluster.node('shop-2'))['status'], 'enabled');
    await button('shop-2', 'stop').click();
    await dialog().getByRole('button', { name: 'stop' }).click();
    await row('shop-2').getByText('stopped', { exact: true }).waitFor();
    assert.equal((await cluster.node('shop-2'))['status'], 'stopped');
  });

  test('enable works from the keyboard alone', async () => {
    await button('shop-2', 'enable').focus();
    await page.keyboard.press('Enter');
    await dialog().getByRole('button', { name: 'enable' }).focus();
    await page.keyboard.press('Enter');
    await row('shop-2').getByText('enabled', { exact: true }).waitFor();
    assert.equal((await cluster.node('shop-2'))['status'], 'enabled');
  });

  for (const { how, id, after } of [
    { how: 'removed', id: 'removed-1', after: 'after-removal' },
    { how: 'forgotten', id: 'forgotten-1', after: 'after-forgetting' },
  ])
    test(`the dialog of a node that is ${how} reports this while the table is updated`, async () => {
      let leave = (): Promise<void> => Promise.resolve();
      if (how === 'forgotten') leave = await cluster.addAgent(id, { balancer: 'wiki', contexts: [{ path: '/wiki' }] });
      else await cluster.addNode(id, { balancer: 'wiki', contexts: ['/wiki'] });
      await button(id, 'why').click();
      await dialog().getByText(`Why is ${id} at`).waitFor();
      // A node that is gone already is forgotten when it is removed: the coordinator answers 404 from then on.
      await leave();
      await cluster.removeNode(id);
      await dialog()
        .getByText(how === 'forgotten' ? `${id} is gone` : 'it is gone')
        .waitFor();
      await cluster.addNode(after, { balancer: 'wiki', contexts: ['/wiki'] });
      await row(after).waitFor();
      assert.equal(await trouble().isVisible(), false);
      await dialog().getByRole('button', { name: 'Close' }).click();
      await dialog().waitFor({ state: 'detached' });
      await cluster.removeNode(after);
    });

  test('server-status names the worker and counts its requests', async () => {
    const status = await visitor.newPage();
    await status.goto(`${cluster.controlUrl}/server-status`);
    await status.locator('#workers tr').first().waitFor();
    assert.match(await textOf(status.locator('main')), /requests/i);
    if (SCREENSHOTS !== undefined)
      await status.screenshot({ path: `${SCREENSHOTS}/server-status.png`, fullPage: true });
    await status.close();
  });

  test('the links to text of server-status are shown with the rights of the login', async () => {
    const status = await visitor.newPage();
    await status.goto(`${cluster.controlUrl}/server-status`);
    await status.getByRole('link', { name: '/metrics' }).click();
    await status.getByText('rollcall_requests_total').first().waitFor();
    await status.close();
  });

  test('the cookie of the login without the key of the page can drain nothing', async () => {
    const kept = await page.evaluate<string>(`localStorage.getItem('rollcall-page-key')`);
    assert.ok(kept.length >= 22);
    await page.evaluate(`localStorage.removeItem('rollcall-page-key')`);
    await button('shop-2', 'drain').click();
    await trouble().getByText('login link').waitFor();
    assert.equal((await cluster.node('shop-2'))['status'], 'enabled');
    await page.evaluate(`localStorage.setItem('rollcall-page-key', '${kept}')`);
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

  test('after a logout the page shows what it may and acts no more, and the login is gone from the list', async () => {
    assert.equal((await cluster.logins()).length, 1);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log out' }).waitFor({ state: 'hidden' });
    assert.equal(await page.evaluate(`localStorage.getItem('rollcall-page-key')`), null);
    await row('shop-2').waitFor();
    assert.deepEqual(await cluster.logins(), []);
    assert.ok(!(await visitor.cookies()).some(({ name }) => name.startsWith('rollcall_login')));
    await button('shop-2', 'drain').click();
    await trouble().getByText('login link').waitFor();
    assert.equal((await cluster.node('shop-2'))['status'], 'enabled');
  });

  test('in the dark it is dark', async () => {
    const brightness = async (): Promise<number> => {
      const color = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      return (color.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
    };
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await brightness();
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.ok((await brightness()) < light / 2);
    await screenshot('dark');
  });

  test('a lost coordinator is reported with the duration, and the last rows stay', async () => {
    await cluster.stop();
    await trouble()
      .getByText(/has not answered for \d+ s/)
      .waitFor();
    assert.equal(await row('shop-1').count(), 1);
    await screenshot('lost');
  });

  test('nothing was broken and nothing was refused by the content security policy', () => {
    assert.deepEqual(complaints, []);
  });
});
