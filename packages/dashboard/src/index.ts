/** The browser pages, as files that a coordinator serves. The only entry point of the package. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { icons } from './icons.ts';

export { explainedNumbers, metricRow, requestSentences, shareRows } from './model/explanation-words.ts';
export { requestText } from './model/request-text.ts';

/** A file that a page loads. */
export interface DashboardAsset {
  readonly body: string;
  /** Content-Type. */
  readonly type: string;
  /** The path contains a digest of the body, so that a browser may keep the file. Absent: false. */
  readonly isImmutable?: true;
}

const HTML = 'text/html; charset=utf-8';
const CSS = 'text/css; charset=utf-8';
const JAVASCRIPT = 'text/javascript; charset=utf-8';
const SVG = 'image/svg+xml';

/** Paths of the page; the view follows from path and query. */
const PAGES = ['/balancer-manager', '/server-status'];

/**
 * All files by URL path. Scripts and style sheet are read from `dist/page`; throws if the workspace has not been built. The HTML has no
 * inline script or style, so that the strictest content security policy applies.
 */
export function dashboardAssets(): ReadonlyMap<string, DashboardAsset> {
  const script = hashed('app', 'js', JAVASCRIPT);
  const style = hashed('page', 'css', CSS);
  const page = { body: html(script.path, style.path), type: HTML };
  const assets = new Map<string, DashboardAsset>(PAGES.map((path) => [path, page]));
  for (const { path, asset } of [script, style]) assets.set(path, asset);
  assets.set('/assets/login.js', { body: read('login.js'), type: JAVASCRIPT });
  for (const [name, body] of icons()) assets.set(`/assets/icon-${name}.svg`, { body, type: SVG });
  assets.set('/favicon.ico', assets.get('/assets/icon-quiet.svg')!);
  return assets;
}

function hashed(name: string, end: string, type: string): { readonly path: string; readonly asset: DashboardAsset } {
  const body = read(`${name}.${end}`);
  const digest = createHash('sha256').update(body).digest('base64url').slice(0, 12);
  return { path: `/assets/${name}-${digest}.${end}`, asset: { body, type, isImmutable: true } };
}

function html(script: string, style: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rollcall</title>
<link rel="icon" id="icon" type="image/svg+xml" href="/assets/icon-quiet.svg">
<link rel="stylesheet" href="${style}">
<script type="module" src="${script}"></script>
</head>
<body>
<div id="app"><noscript>This page needs JavaScript. <a href="/v1/nodes">/v1/nodes</a> has the same data as JSON.</noscript></div>
</body>
</html>
`;
}

/** Reads a bundled file; this module is in `src` or `dist`. */
function read(name: string): string {
  return readFileSync(new URL(`../dist/page/${name}`, import.meta.url), 'utf8');
}
