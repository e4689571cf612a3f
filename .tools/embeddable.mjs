/**
 * Completes the compiled packages that other people's programs embed, so that every module system and bundler reads them:
 *
 * - `dist/cjs` holds CommonJS, and its package.json says so.
 * - The agent's `websocket.js` contains ws, because a bundle in ESM format cannot hold ws as it is published: its
 *   `require('events')` has no counterpart there. Here the modules of Node are imported. The add-ons that ws looks for,
 *   which bundlers report as missing, are left out.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';

const EMBEDDABLE = ['protocol', 'agent'];
/** The oldest Node that we support. */
const TARGET = 'node20.19';
/** What the agent imports of ws, from the files of ws: its index would bring all the rest along. */
const OF_WS = `
export { default as WebSocket } from './lib/websocket.js';
export { default as WebSocketServer } from './lib/websocket-server.js';
`;

/** Expects `tsc -b` to have run in the workspace at `root`. Files that are up to date are not touched. */
export async function completeEmbeddable(root) {
  for (const name of EMBEDDABLE)
    writeIfChanged(join(root, 'packages', name, 'dist', 'cjs', 'package.json'), '{ "type": "commonjs" }\n');
  const agent = join(root, 'packages', 'agent');
  writeIfChanged(join(agent, 'dist', 'websocket.js'), await webSocketModule(agent, 'esm'));
  writeIfChanged(join(agent, 'dist', 'cjs', 'websocket.js'), await webSocketModule(agent, 'cjs'));
}

/** The text of a module in `format` that exports what `agent` imports of the ws it depends on. */
async function webSocketModule(agent, format) {
  // Not at the top: this file is loaded before anything is installed.
  const { build } = await import('esbuild');
  const ws = dirname(createRequire(join(agent, 'package.json')).resolve('ws/package.json'));
  const { version } = JSON.parse(readFileSync(join(ws, 'package.json'), 'utf8'));
  const licence = readFileSync(join(ws, 'LICENSE'), 'utf8').trim();
  const { outputFiles } = await build({
    stdin: { contents: OF_WS, resolveDir: ws, loader: 'js' },
    absWorkingDir: ws,
    bundle: true,
    write: false,
    platform: 'node',
    target: TARGET,
    format,
    // A comment that other people's bundlers keep.
    banner: { js: `/*!\nws ${version}\n\n${licence}\n*/` },
    define: { 'process.env.WS_NO_BUFFER_UTIL': '"1"', 'process.env.WS_NO_UTF_8_VALIDATE': '"1"' },
    plugins: format === 'esm' ? [importBuiltins] : [],
  });
  return outputFiles[0].text;
}

/** Makes `require('events')` of a bundled CommonJS module an import. */
const importBuiltins = {
  name: 'import-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^/ }, ({ kind, path }) =>
      kind === 'require-call' && isBuiltin(path) ? { path: path.replace(/^node:/, ''), namespace: 'node' } : undefined,
    );
    onLoad({ filter: /^/, namespace: 'node' }, ({ path }) => ({
      contents: `import builtin from 'node:${path}'; module.exports = builtin;`,
    }));
  },
};

/** Replaces the file in one step, because a process may be loading it. */
function writeIfChanged(path, text) {
  if (readIfExists(path) === text) return;
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function readIfExists(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
