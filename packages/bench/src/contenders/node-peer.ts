import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Contender } from './contender.ts';

/** A proxy built with a library for Node: a program in `peers/`, run by the same Node as Rollcall. */
export function nodePeer(name: string, program: string, library: string, node: string): Contender {
  return {
    name,
    remedy: 'run `npm start` once, which installs it',
    version: () => versionOf(library),
    can: ({ isTls, logsAccess }) => !isTls && !logsAccess,
    start: ({ workplace, directory, port, nodes, cpus }) =>
      workplace.start(
        name,
        [
          node,
          fileURLToPath(new URL(`../peers/${program}.js`, import.meta.url)),
          String(port),
          ...nodes.map((nodePort) => `http://127.0.0.1:${nodePort}`),
        ],
        { cpus, directory, environment: { NODE_ENV: 'production' } },
      ),
  };
}

/** The installed version of a library; `undefined` if absent. It reads the file, because not every library exports its manifest. */
function versionOf(library: string): string | undefined {
  try {
    let folder = dirname(createRequire(import.meta.url).resolve(library));
    for (; folder !== dirname(folder); folder = dirname(folder)) {
      const manifest = readManifest(join(folder, 'package.json'));
      if (manifest?.name === library) return manifest.version;
    }
  } catch {
    // Not installed.
  }
  return undefined;
}

function readManifest(path: string): { readonly name?: string; readonly version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { name?: string; version?: string };
  } catch {
    return undefined;
  }
}
