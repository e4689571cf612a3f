/** Arguments of every peer: `PEER PORT NODE…`, nodes as URLs. */
export const port: string = process.argv[2]!;
export const nodes: readonly string[] = process.argv.slice(3);

let turn = 0;

/** The next node in round robin. */
export function nextNode(): string {
  turn = (turn + 1) % nodes.length;
  return nodes[turn]!;
}

/** As others here: a client that pauses keeps its connection. */
export const KEEP_ALIVE_MS = 600_000;
export const BACKLOG = 4_096;
