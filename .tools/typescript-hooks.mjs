/**
 * Module hooks for `typescript.mjs`. A module is transformed once and kept on disk by its path, with the digest of its source. Tests start
 * hundreds of processes that load the same modules.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(new URL('../.rollcall-setup/typescript/', import.meta.url));
const OLDEST_NODE = 'node20.19';

export async function load(url, context, next) {
  // A query makes another copy of the same module.
  if (!/^file:[^?#]*\.ts(?:[?#]|$)/.test(url)) return next(url, context);
  const path = fileURLToPath(url);
  const source = readFileSync(path, 'utf8');
  const digest = `//${digestOf(source)}\n`;
  const kept = join(CACHE, `${digestOf(path)}.mjs`);
  const code = readKept(kept, digest) ?? (await transformed(path, source, kept, digest));
  return { format: 'module', source: code, shortCircuit: true };
}

function digestOf(text) {
  return createHash('sha1').update(text).digest('hex');
}

function readKept(kept, digest) {
  try {
    const code = readFileSync(kept, 'utf8');
    return code.startsWith(digest) ? code : undefined;
  } catch {
    return undefined;
  }
}

async function transformed(path, source, kept, digest) {
  // Loaded on demand: most processes find all modules on disk.
  const { transform } = await import('esbuild');
  const { code } = await transform(source, {
    loader: 'ts',
    format: 'esm',
    target: OLDEST_NODE,
    sourcemap: 'inline',
    sourcefile: path,
    banner: digest.trimEnd(),
  });
  try {
    mkdirSync(CACHE, { recursive: true });
    // Written whole: other processes read it at the same time.
    writeFileSync(`${kept}.${process.pid}`, code);
    renameSync(`${kept}.${process.pid}`, kept);
  } catch {
    // The folder cannot be written: the next process transforms again.
  }
  return code;
}
