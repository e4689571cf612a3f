/** The pages for the browser, as files that a coordinator serves. The one front door of the package. */
import { readFileSync } from 'node:fs';

export { explainedNumbers, metricRow, shareRows } from './browser/explanation-words.ts';

/** One file of a page. */
export interface DashboardAsset {
  readonly body: string;
  /** Content-Type. */
  readonly type: string;
}

const HTML = 'text/html; charset=utf-8';
const CSS = 'text/css; charset=utf-8';
const JAVASCRIPT = 'text/javascript; charset=utf-8';

/** Scripts as built from `src/browser`. */
const SCRIPTS = [
  'balancer-manager',
  'server-status',
  'admin-api',
  'login',
  'page-key',
  'session',
  'dom',
  'node-table',
  'page-turner',
  'explanation-dialog',
  'explanation-words',
  'amounts',
] as const;

/**
 * All files by the path they are served under. Scripts are what `tsc -b` has made in `dist/browser`; throws when that
 * has not been done. Nothing in them is inline, so that the strictest content security policy fits.
 */
export function dashboardAssets(): ReadonlyMap<string, DashboardAsset> {
  const assets = new Map<string, DashboardAsset>([
    ['/balancer-manager', { body: read('../assets/balancer-manager.html'), type: HTML }],
    ['/server-status', { body: read('../assets/server-status.html'), type: HTML }],
    ['/assets/dashboard.css', { body: read('../assets/dashboard.css'), type: CSS }],
  ]);
  for (const name of SCRIPTS)
    assets.set(`/assets/${name}.js`, { body: read(`../dist/browser/${name}.js`), type: JAVASCRIPT });
  return assets;
}

/** Relative to this module, which lies in `src` or `dist`. */
function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '');
}
