/** Bundles the page of the dashboard from its sources: `dist/page` gets one script, one style sheet, and the script of the login page. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeIfChanged } from './embeddable.mjs';

/** Browsers of the last two years. */
const TARGET = ['chrome120', 'firefox121', 'safari17.2'];
const LIBRARIES = ['preact', '@preact/signals', '@preact/signals-core'];

/** Bundles the page of the workspace at `root` after `tsc -b`. Files that are up to date are not written. */
export async function bundlePage(root) {
  // Imported here, because this file is loaded before esbuild is installed.
  const { build } = await import('esbuild');
  const dashboard = join(root, 'packages', 'dashboard');
  const target = join(dashboard, 'dist', 'page');
  const { outputFiles } = await build({
    absWorkingDir: dashboard,
    entryPoints: { app: 'src/app/main.tsx', login: 'src/app/login.ts', page: 'src/app/styles/page.css' },
    outdir: target,
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: TARGET,
    conditions: ['@rollcall/source'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
  });
  mkdirSync(target, { recursive: true });
  const licences = LIBRARIES.map((name) => licenceOf(root, name)).join('\n\n');
  for (const { path, text } of outputFiles)
    writeIfChanged(path, path.endsWith('app.js') ? `/*!\n${licences}\n*/\n${text}` : text);
}

/** Name, version and licence of a package whose code is in the bundle. */
function licenceOf(root, name) {
  const folder = join(root, 'node_modules', name);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return `${name} ${version}\n${readFileSync(join(folder, 'LICENSE'), 'utf8').trim()}`;
}
