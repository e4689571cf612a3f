/** Import cycles in a graph of files, as a pure function of it. */

/** The files that each file imports, by path. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/**
 * The import cycles that files below `folder` are part of, also where they lead through other folders. Each is a shortest
 * cycle of its first file, in the order of the imports; of several with the same files there is one.
 */
export function cyclesThrough(folder: string, graph: ImportGraph): readonly (readonly string[])[] {
  const cycles = new Map<string, readonly string[]>();
  for (const path of graph.keys()) {
    if (!path.startsWith(`${folder}/`)) continue;
    const cycle = shortestCycle(path, graph);
    const files = [...cycle].sort().join(' ');
    if (cycle.length > 0 && !cycles.has(files)) cycles.set(files, cycle);
  }
  return [...cycles.values()];
}

/** A shortest cycle from `start` back to it, `start` first; empty when there is none. */
function shortestCycle(start: string, graph: ImportGraph): readonly string[] {
  const importer = new Map<string, string>();
  // The list grows while it is gone through: files with fewer imports between them and `start` come first.
  const reached = [start];
  for (const path of reached)
    for (const imported of graph.get(path) ?? []) {
      if (imported === start) return chain(start, path, importer);
      if (importer.has(imported)) continue;
      importer.set(imported, path);
      reached.push(imported);
    }
  return [];
}

/** The files from `start` to `end`, each imported by the one before it. */
function chain(start: string, end: string, importer: ReadonlyMap<string, string>): readonly string[] {
  const files = [end];
  for (let path = end; path !== start; files.unshift(path)) path = importer.get(path)!;
  return files;
}
