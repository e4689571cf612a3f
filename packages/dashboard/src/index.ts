/** The browser pages, as files that a coordinator serves. The only entry point of the package. */
import { readFileSync } from 'node:fs';

export { explainedNumbers, metricRow, requestSentences, shareRows } from './browser/explanation-words.ts';
export { requestText } from './browser/request-text.ts';

/** A file that a page loads. */
export interface DashboardAsset {
  readonly body: string;
  /** Content-Type. */
  readonly type: string;
}

const HTML = 'text/html; charset=utf-8';
const CSS = 'text/css; charset=utf-8';
const JAVASCRIPT = 'text/javascript; charset=utf-8';

/** Names of the scripts that are compiled from `src/browser`. */
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
  'request-text',
] as const;

/**
 * All files by URL path. Scripts are read from `dist/browser`; throws if `tsc -b` has not compiled them. The HTML has no inline
 * script or style, so that the strictest content security policy applies.
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

/** Reads a file by its path relative to this module, which is in `src` or `dist`. */
function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '');
}
