/**
 * Completes the compiled packages that user programs embed, so that every module system and bundler can load them:
 *
 * - `dist/cjs` gets a package.json with the type `commonjs`.
 * - `websocket.js` of the agent contains ws. The published ws cannot be part of an ESM bundle, because it calls
 *   `require('events')`. The copy imports the modules of Node instead, and has no optional add-ons, which bundlers report as missing.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';

const EMBEDDABLE = ['protocol', 'agent'];
/** The oldest supported version of Node. */
const TARGET = 'node20.19';
/** The exports of ws that the agent uses, from their own files. The index of ws would add all its modules to the bundle. */
const OF_WS = `
export { default as WebSocket } from './lib/websocket.js';
export { default as WebSocketServer } from './lib/websocket-server.js';
`;

/** Completes the packages of the workspace at `root` after `tsc -b`. Files that are up to date are not written. */
export async function completeEmbeddable(root) {
  for (const name of EMBEDDABLE)
    writeIfChanged(join(root, 'packages', name, 'dist', 'cjs', 'package.json'), '{ "type": "commonjs" }\n');
  const agent = join(root, 'packages', 'agent');
  writeIfChanged(join(agent, 'dist', 'websocket.js'), await webSocketModule(agent, 'esm'));
  writeIfChanged(join(agent, 'dist', 'cjs', 'websocket.js'), await webSocketModule(agent, 'cjs'));
}

/** The source of a module in `format` that contains the exports `OF_WS` of the ws on which `agent` depends. */
async function webSocketModule(agent, format) {
  // Imported here, because this file is loaded before esbuild is installed.
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
    // `/*!` marks a comment that bundlers keep.
    banner: { js: `/*!\nws ${version}\n\n${licence}\n*/` },
    define: { 'process.env.WS_NO_BUFFER_UTIL': '"1"', 'process.env.WS_NO_UTF_8_VALIDATE': '"1"' },
    plugins: format === 'esm' ? [importBuiltins] : [],
  });
  return outputFiles[0].text;
}

/** Replaces `require('events')` in a bundled CommonJS module by an import. */
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

/** Writes a file if its text differs. The file is replaced atomically, because a process may be loading it. */
export function writeIfChanged(path, text) {
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
