/** The Chromium of this machine for tests, and nothing of the network. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const USUAL_PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Its program: `CHROME_PATH`, else a usual place; `undefined` when there is none. */
export function chromiumPath(): string | undefined {
  return [process.env['CHROME_PATH'] ?? '', ...USUAL_PLACES].find((path) => path !== '' && existsSync(path));
}

/** Reason to skip a test that needs Chromium, or `false`. */
export const noChromium: string | false =
  chromiumPath() === undefined
    ? 'needs Chromium: apt-get install chromium, or set CHROME_PATH to the program of a Chrome'
    : false;

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath()!, args: FLAGS });
}
